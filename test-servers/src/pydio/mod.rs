//! A server that behaves as Pydio 6 to 8 do.
