//! How much room there is for WAL. PostgreSQL ends itself when it cannot write WAL, and what it keeps until it is archived can fill
//! any disk; so work is refused before that, while everything can still be read.

use std::path::Path;

use nix::sys::statvfs::statvfs;

const MIB: u64 = 1024 * 1024;

/// With less room than this it is said that the disk fills.
const FREE_BYTES_LOW: u64 = 2048 * MIB;
/// With less room than this nothing is written, but that somebody signs in or out.
const FREE_BYTES_MIN: u64 = 512 * MIB;

/// The room on the volume that WAL is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// What PostgreSQL can still write there.
    pub free_bytes: u64,
}

impl Space {
    /// The room on the volume of this folder, now.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn at(folder: &Path) -> std::io::Result<Self> {
        let volume = statvfs(folder)?;
        Ok(Self {
            free_bytes: volume.blocks_available() * volume.fragment_size(),
        })
    }

    /// Whether so little is left that writes are refused.
    pub fn is_short(self) -> bool {
        self.free_bytes < FREE_BYTES_MIN
    }

    /// What is not as it must be, in words that tell no paths.
    pub fn worry(self) -> Option<String> {
        let free_mib = self.free_bytes / MIB;
        if self.is_short() {
            Some(format!(
                "the disk of WAL has {free_mib} MiB left, less than {}: nothing is written until there is room",
                FREE_BYTES_MIN / MIB
            ))
        } else if self.free_bytes < FREE_BYTES_LOW {
            Some(format!(
                "the disk of WAL has {free_mib} MiB left; with less than {} nothing is written any more",
                FREE_BYTES_MIN / MIB
            ))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_before_it_is_refused() {
        let with = |mib| Space {
            free_bytes: mib * MIB,
        };
        assert_eq!((with(2048).worry(), with(2048).is_short()), (None, false));
        let low = with(2047);
        assert!(
            !low.is_short()
                && low
                    .worry()
                    .is_some_and(|said| said.contains("2047 MiB left; with"))
        );
        assert!(!with(512).is_short());
        let short = with(511);
        assert!(
            short.is_short()
                && short
                    .worry()
                    .is_some_and(|said| said.contains("until there is room"))
        );
    }
}
