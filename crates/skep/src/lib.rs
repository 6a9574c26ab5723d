//! What `skep` does, apart from the process around it.

pub mod make;
