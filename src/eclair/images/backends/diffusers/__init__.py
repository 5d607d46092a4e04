"""FLUX and its kin through PyTorch and diffusers, which live in an environment of their own and run in a process of
their own.

`generator` and `worker` are the parent's side. Everything else here is read by that process too, whose interpreter has
nothing of Éclair's: it may import the standard library, its siblings, and inside functions what torch and diffusers
bring.
"""
