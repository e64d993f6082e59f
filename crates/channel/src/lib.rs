//! The calling side: endpoints found by name, balanced by load, retried within a budget.
