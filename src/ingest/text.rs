//! Placeholder until the parser is here.
