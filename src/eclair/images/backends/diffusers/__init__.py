"""FLUX models through PyTorch and diffusers, in a process with an environment of its own.

`local_backend` and `pipeline_client` are the parent's side. The process imports everything else here, and its
interpreter has nothing of Éclair's dependencies: modules may import the standard library and their siblings, and inside
functions what torch and diffusers bring.
"""
