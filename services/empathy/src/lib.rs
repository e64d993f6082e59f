//! Empathy service: emotion assessment and dual-stage rewriting around the facts.
