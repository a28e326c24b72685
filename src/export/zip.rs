//! Recordings as one zip, made while it is read: each as its audio file with a signed manifest beside it. Memory holds a
//! few pieces, however much there is; a thread of its own writes, as compressing and sealing block.

use std::io::{self, Write};

use ::zip::write::{SimpleFileOptions, StreamWriter};
use ::zip::{CompressionMethod, ZipWriter};
use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Audio, AudioError, AudioFile, extension};
use crate::ids::RecordingId;

/// Pieces on their way to the thread.
const WAITING: usize = 8;

type Piece<W> = Box<dyn FnOnce(&mut W) -> io::Result<()> + Send>;

/// Something that is written on a thread of its own, piece by piece.
pub struct Feed<W> {
    pieces: mpsc::Sender<Piece<W>>,
    writer: JoinHandle<io::Result<W>>,
}

impl<W: Send + 'static> Feed<W> {
    /// Begins.
    #[must_use]
    pub fn start(mut to: W) -> Self {
        let (pieces, mut queue) = mpsc::channel::<Piece<W>>(WAITING);
        let writer = tokio::task::spawn_blocking(move || {
            while let Some(piece) = queue.blocking_recv() {
                piece(&mut to)?;
            }
            Ok(to)
        });
        Self { pieces, writer }
    }

    /// Has the next piece written; waits while enough others wait. After a fault nothing more is taken, and
    /// [`Feed::finish`] tells of it.
    pub async fn put(&self, piece: impl FnOnce(&mut W) -> io::Result<()> + Send + 'static) {
        // The writer's end is told by `finish`.
        let _ = self.pieces.send(Box::new(piece)).await;
    }

    /// Waits for the last piece.
    ///
    /// # Errors
    /// Whatever a piece could not be written for.
    pub async fn finish(self) -> io::Result<W> {
        drop(self.pieces);
        self.writer.await.map_err(io::Error::other)?
    }
}

impl<W: Write + Send + 'static> Feed<W> {
    /// Has these octets written.
    pub async fn octets(&self, octets: Vec<u8>) {
        self.put(move |to| to.write_all(&octets)).await;
    }
}

/// A zip that is being made.
pub struct Zip<W: Write>(Feed<ZipWriter<StreamWriter<W>>>);

impl<W: Write + Send + 'static> Zip<W> {
    /// Begins one.
    #[must_use]
    pub fn begin(to: W) -> Self {
        Self(Feed::start(ZipWriter::new_stream(to)))
    }

    /// Begins a file in it; `text` is made smaller.
    pub async fn file(&self, name: String, text: bool) {
        let method = if text { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        let options = SimpleFileOptions::default().compression_method(method).unix_permissions(0o600);
        self.0.put(move |zip| zip.start_file(name, options).map_err(io::Error::other)).await;
    }

    /// Goes on with the file that was begun last.
    pub async fn octets(&self, octets: Bytes) {
        self.0.put(move |zip| zip.write_all(&octets)).await;
    }

    /// Puts a recording into it: its audio, and what `manifest` says of that file. One that breaks off is followed by a file that says so, and
    /// has no manifest.
    ///
    /// # Errors
    /// Why its audio could not be read to its end.
    pub async fn recording(
        &self,
        id: RecordingId,
        audio: &Audio,
        manifest: impl FnOnce(&AudioFile) -> String + Send,
    ) -> Result<(), AudioError> {
        let kind = audio.content_type();
        let name = format!("{id}.{}", extension(kind));
        let mut stream = audio.stream(0..audio.length()).await?;
        self.file(name.clone(), false).await;
        let (mut sha256, mut bytes) = (Context::new(&SHA256), 0);
        loop {
            match stream.try_next().await {
                Ok(Some(piece)) => {
                    sha256.update(&piece);
                    bytes += piece.len() as u64;
                    self.octets(piece).await;
                }
                Ok(None) => break,
                Err(error) => {
                    self.file(format!("{name}.broken.txt"), true).await;
                    let told = format!("{name} is not whole: {error}\n");
                    self.octets(told.into()).await;
                    return Err(error);
                }
            }
        }
        let sha256 = hex::encode(sha256.finish());
        let file = AudioFile { file: name.clone(), content_type: kind.to_owned(), bytes, sha256 };
        self.file(format!("{name}.json"), true).await;
        self.octets(manifest(&file).into()).await;
        Ok(())
    }

    /// Ends it; what it was written to.
    ///
    /// # Errors
    /// Whatever could not be written.
    pub async fn finish(self) -> io::Result<W> {
        let zip = self.0.finish().await?;
        let ended = tokio::task::spawn_blocking(move || zip.finish().map_err(io::Error::other)).await;
        Ok(ended.map_err(io::Error::other)??.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read as _};

    use super::*;

    #[tokio::test]
    async fn what_is_put_in_can_be_taken_out_by_others() {
        let zip = Zip::begin(Vec::new());
        zip.file("a.csv".into(), true).await;
        for _ in 0..1_000 {
            zip.octets(Bytes::from_static(b"one,two\r\n")).await;
        }
        zip.file("b.wav".into(), false).await;
        zip.octets(Bytes::from(vec![7; 100_000])).await;
        let made = zip.finish().await.unwrap();
        let mut read = ::zip::ZipArchive::new(Cursor::new(made)).unwrap();
        assert_eq!(read.len(), 2);
        let mut text = String::new();
        read.by_name("a.csv").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "one,two\r\n".repeat(1_000));
        let mut audio = Vec::new();
        read.by_name("b.wav").unwrap().read_to_end(&mut audio).unwrap();
        assert!(audio == vec![7; 100_000]);
    }

    #[tokio::test]
    async fn a_disk_that_is_full_is_told_at_the_end() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let feed = Feed::start(Full);
        for _ in 0..100 {
            feed.octets(vec![0; 10]).await;
        }
        assert_eq!(
            feed.finish().await.map(drop).map_err(|error| error.kind()),
            Err(io::ErrorKind::StorageFull)
        );
    }
}
