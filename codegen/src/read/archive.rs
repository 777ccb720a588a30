//! Members of a zip file, unpacked within a [`Budget`].

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use super::budget::Budget;
use crate::error::Error;

/// An open zip file.
pub(super) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
}

fn damaged(error: impl std::fmt::Display) -> Error {
    Error::model(format!("damaged .keras (zip) file: {error}"))
}

impl<'a> Archive<'a> {
    /// Reads the table of contents.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Archive<'a>, Error> {
        ZipArchive::new(Cursor::new(bytes)).map(|zip| Archive { zip }).map_err(damaged)
    }

    /// The members' names; those that are not text are left out.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.zip.file_names().filter_map(|name| Some(name.ok()?.into_owned()))
    }

    /// The bytes of a member of at most `limit` bytes; `None` when there is none of that name.
    pub(super) fn member(&mut self, name: &str, limit: usize, budget: &mut Budget) -> Result<Option<Vec<u8>>, Error> {
        let file = match self.zip.by_name(name) {
            Ok(file) => file,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(damaged(format!("{name}: {error}"))),
        };
        let declared = usize::try_from(file.size()).unwrap_or(usize::MAX);
        if declared > limit {
            return Err(damaged(format!("{name} has {declared} bytes, at most {limit} are accepted")));
        }
        budget.take(declared, 1)?;
        // One byte more than declared shows a member that is longer than it says.
        let mut bytes = Vec::with_capacity(declared);
        file.take(declared as u64 + 1).read_to_end(&mut bytes).map_err(|error| damaged(format!("{name}: {error}")))?;
        if bytes.len() != declared {
            return Err(damaged(format!("{name} does not have the {declared} bytes that it declares")));
        }
        Ok(Some(bytes))
    }
}
