"""The sandbox: bounded worker processes in which untrusted bytes are read."""
