//! .

pub mod similar;
pub mod store;
