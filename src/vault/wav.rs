//! The header of a WAV file (RIFF), for audio of known length.

use super::sealed::Format;

/// The header; `None`: longer than a WAV file can be (4 GiB), or no WAV at all.
pub(super) fn header(format: Format, samples: u64) -> Option<Vec<u8>> {
    let frame = format.frame()?;
    // WAVE_FORMAT_PCM, _MULAW, _ALAW. All but PCM have an extension's size (none) and a `fact` chunk.
    let (tag, more): (u16, bool) = match format {
        Format::Pcm16 => (1, false),
        Format::Ulaw => (7, true),
        Format::Alaw => (6, true),
        Format::Opus => return None,
    };
    let size: usize = if more { 58 } else { 44 };
    let data = u32::try_from(samples.checked_mul(frame as u64)?).ok()?;
    let riff = data.checked_add(size as u32 - 8)?;
    let mut header = Vec::with_capacity(size);
    header.extend_from_slice(b"RIFF");
    header.extend_from_slice(&riff.to_le_bytes());
    header.extend_from_slice(b"WAVEfmt ");
    header.extend_from_slice(&(if more { 18u32 } else { 16 }).to_le_bytes());
    header.extend_from_slice(&tag.to_le_bytes());
    header.extend_from_slice(&2u16.to_le_bytes());
    header.extend_from_slice(&8_000u32.to_le_bytes());
    header.extend_from_slice(&(8_000 * frame as u32).to_le_bytes());
    header.extend_from_slice(&(frame as u16).to_le_bytes());
    header.extend_from_slice(&(frame as u16 * 4).to_le_bytes());
    if more {
        header.extend_from_slice(&0u16.to_le_bytes());
        header.extend_from_slice(b"fact");
        header.extend_from_slice(&4u32.to_le_bytes());
        header.extend_from_slice(&(samples as u32).to_le_bytes());
    }
    header.extend_from_slice(b"data");
    header.extend_from_slice(&data.to_le_bytes());
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_as_long_as_they_should_be() {
        assert_eq!(header(Format::Pcm16, 24_000).unwrap().len(), 44);
        assert_eq!(header(Format::Ulaw, 24_000).unwrap().len(), 58);
        assert_eq!(header(Format::Alaw, 0).unwrap().len(), 58);
        assert!(header(Format::Opus, 1).is_none());
        let most = (u64::from(u32::MAX) - 36) / 4;
        assert!(header(Format::Pcm16, most).is_some() && header(Format::Pcm16, most + 1).is_none());
        assert!(header(Format::Pcm16, u64::MAX).is_none());
    }
}
