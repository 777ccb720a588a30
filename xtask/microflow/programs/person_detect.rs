//! Person detection, by microflow.

#![no_std]
#![no_main]

include!(concat!(env!("OUT_DIR"), "/person_detect.rs"));
