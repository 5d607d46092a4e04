"""FLUX models on PyTorch and diffusers, in a process and environment of their own.

`local_backend` and `pipeline_client` are the parent's side. The process imports everything else here, and its
interpreter has nothing of Éclair's dependencies: modules may import the standard library and their siblings, and inside
functions what torch and diffusers bring.
"""
