//! Jobs over a real database, a real spool and a folder of objects.
