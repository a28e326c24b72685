//! Shipped and imported prompts.
