"""The audit log's proofs: signed checkpoints, verification, export, and delivery to other machines."""
