"""The only room that speaks gRPC: messages to model objects, errors to status, and back."""
