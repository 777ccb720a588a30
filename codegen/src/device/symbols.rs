//! The names in a program.

use std::fs;
use std::path::Path;

use object::read::elf::{ElfFile32, Sym};

use crate::error::Error;

/// Whether a symbol is a function of a heap: what Rust's allocators or C's are called.
pub fn is_heap(symbol: &str) -> bool {
    const RUST: [&str; 6] = [
        "__rust_alloc",
        "__rust_dealloc",
        "__rust_realloc",
        "__rust_alloc_zeroed",
        "__rust_alloc_error_handler",
        "__rust_no_alloc_shim_is_unstable",
    ];
    const C: [&str; 6] = ["malloc", "calloc", "realloc", "free", "_sbrk", "aligned_alloc"];
    // The former are mangled in newer compilers.
    C.contains(&symbol) || RUST.iter().any(|name| symbol.contains(name))
}

/// The names of the program's symbols.
///
/// # Errors
/// When the file can't be read or is no 32-bit ELF.
pub fn symbols(elf: &Path) -> Result<Vec<String>, Error> {
    let bytes = fs::read(elf).map_err(|error| Error::file(elf, error.to_string()))?;
    let names = || -> Result<Vec<String>, object::Error> {
        let file = ElfFile32::<object::Endianness>::parse(&*bytes)?;
        let symbols = file.elf_symbol_table();
        let names = symbols.iter().map(|symbol| symbol.name(file.endian(), symbols.strings()));
        names.map(|name| Ok(String::from_utf8_lossy(name?).into_owned())).collect()
    };
    names().map_err(|error| Error::file(elf, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::is_heap;

    #[test]
    fn a_heap_is_known_by_its_functions() {
        let allocators = ["malloc", "_sbrk", "__rust_alloc", "_RNvCshash_7___rustc12___rust_alloc"];
        assert!(allocators.iter().all(|name| is_heap(name)));
        let others = ["_RNvCs_5bench7predict", "__aeabi_memcpy", "free_rows", "_ZN4core5alloc6layout6Layout3new17hE"];
        assert!(!others.iter().any(|name| is_heap(name)));
    }
}
