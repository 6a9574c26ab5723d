//! .

pub mod catalogue;
pub mod legacy;
pub mod similar;
pub mod store;
