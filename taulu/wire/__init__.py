"""The messages of `taulu.v1` to the model and back, for the server and for clients."""
