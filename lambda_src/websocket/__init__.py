"""A live board: clients in a room exchange messages through a WebSocket API. Each function is a module here."""
