//! The sine of a number, by microflow.

#![no_std]
#![no_main]

include!(concat!(env!("OUT_DIR"), "/sine.rs"));
