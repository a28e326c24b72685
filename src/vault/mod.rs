//! Recordings at rest: keys, encrypted spool, salvage, export.
