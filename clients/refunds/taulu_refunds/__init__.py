"""The refund and credit system: Taulu's first tenant, which uses only the client."""
