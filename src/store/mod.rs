//! The database: migrations, units of work, queries.
