//! Ring 1: the engine's rules as a table, as properties and as an enumeration.

mod ring1 {
    mod brakes;
    mod exhaustive;
    mod overtaken;
    mod properties;
    mod resolve;
    mod seeds;
    mod table;
}
