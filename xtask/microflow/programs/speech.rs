//! Speech commands, by microflow.

#![no_std]
#![no_main]

include!(concat!(env!("OUT_DIR"), "/speech.rs"));
