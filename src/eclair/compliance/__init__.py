"""Reports about an installation: duties of the AI Act, literacy, records of processing, impact."""
