//! Ring 1: the engine's rules as a table, as properties and as an enumeration.

mod ring1 {
    mod properties;
    mod table;
}
