"""The rules of the request path: one file, one rule, each wrapping the next handler."""
