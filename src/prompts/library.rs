//! The prompts that calls play: those shipped in the program, overridden by a folder's, overridden by imported ones. All
//! are read and encoded when the library is opened; looking one up during a call only follows pointers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rust_embed::RustEmbed;

use super::{ENGLISH, MUSIC, NAMES, PromptError, PromptName, index, language_key, sha256, wav};
use crate::call::Prompt;
use crate::ids::QueueId;
use crate::media::g711::ALAW_TO_PCM;
use crate::media::loudness::measure;
use crate::media::sound::{RATE, Sound};
use crate::settings::{Language, Spoken, Wording};

/// The `prompts` folder of the source, compiled in.
#[derive(RustEmbed)]
#[folder = "prompts/"]
pub(super) struct Shipped;

/// Where a prompt comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// It is compiled in.
    Shipped,
    /// A file of the prompts folder, on this server alone.
    Folder,
    /// It was imported: it lies in the database.
    Imported,
}

/// A prompt ready to be played.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The sound.
    pub sound: Arc<Sound>,
    /// SHA-256 of the file's bytes, in hex: the exact prompt version.
    pub sha256: String,
    /// Playing time.
    pub duration: Duration,
    /// The file it came from; `shipped: …` for one compiled in, `imported` for one of the database.
    pub origin: String,
    /// Where it comes from.
    pub source: Source,
    /// What it says, as noted; `None`: nobody has noted it, or not since the sound was changed.
    pub text: Option<String>,
    /// Measured when it is asked for.
    lufs: OnceLock<Option<f64>>,
}

impl Loaded {
    /// Integrated loudness of what is played, LUFS; `None`: silence. It takes milliseconds the first time.
    #[must_use]
    pub fn lufs(&self) -> Option<f64> {
        *self.lufs.get_or_init(|| {
            let linear = |octet: &u8| f32::from(ALAW_TO_PCM[usize::from(*octet)]) / 32_768.0;
            let samples: Vec<f32> = self.sound.alaw().iter().map(linear).collect();
            measure(&samples, RATE).lufs
        })
    }

    /// A WAV file for people to hear: of 16 kHz where it was shipped so, else what callers hear. `None` for an imported
    /// one, whose better version the database has.
    #[must_use]
    pub fn wav(&self) -> Option<Vec<u8>> {
        match self.source {
            Source::Imported => None,
            Source::Shipped => {
                let narrow = self.origin.strip_prefix("shipped: ")?;
                Shipped::get(&narrow.replace(".8k.wav", ".16k.wav")).map(|file| file.data.into_owned())
            }
            Source::Folder => {
                let pcm: Vec<i16> =
                    self.sound.alaw().iter().map(|octet| ALAW_TO_PCM[usize::from(*octet)]).collect();
                wav::encode_pcm16(RATE, 1, &pcm).ok()
            }
        }
    }
}

/// What lies in the database, beside the folder.
#[derive(Debug, Default)]
pub(super) struct Imported {
    /// The prompts in force, their version, and their sound.
    pub(super) sounds: Vec<(PromptName, String, Stored)>,
    /// What versions of prompts say.
    pub(super) texts: HashMap<(PromptName, String), String>,
}

/// The sound of an imported prompt.
#[derive(Debug)]
pub(super) enum Stored {
    /// It was played before: as it is in memory.
    Known(Arc<Loaded>),
    /// A WAV file.
    Bytes(Vec<u8>),
}

/// All prompts of one moment. To load changed files open a new one and swap it in: calls keep what
/// they hold.
///
/// The folder holds `[<queue>/]<language>/<name>.wav` (any rate; or `<name>.8k.wav` as `import`
/// writes it) and `[<queue>/]music.wav`, music of all languages.
#[derive(Debug)]
pub struct Library {
    queues: HashMap<QueueId, Voices>,
    /// Of all queues; shipped or overridden.
    shared: Voices,
    /// The last resort, whole.
    english: [Arc<Loaded>; NAMES.len()],
    /// Languages and prompts already complained of.
    warned: Mutex<BTreeSet<(String, &'static str)>>,
}

/// The prompts of a queue, or of all.
#[derive(Clone, Debug, Default)]
struct Voices {
    languages: HashMap<String, [Option<Arc<Loaded>>; NAMES.len()]>,
    /// Music without a language.
    music: Option<Arc<Loaded>>,
}

impl Library {
    /// Loads the shipped prompts and what `dir` overrides. A folder that does not exist overrides
    /// nothing; a file that cannot be used is an error that names it.
    pub fn open(dir: Option<&Path>) -> Result<Self, PromptError> {
        Self::with(dir, Imported::default())
    }

    /// The same, overridden by imported ones. One of these that cannot be read is left out, loudly: the others must be
    /// heard, and only a server that runs can have it replaced.
    pub(super) fn with(dir: Option<&Path>, imported: Imported) -> Result<Self, PromptError> {
        let mut shared = shipped()?;
        let mut queues: HashMap<QueueId, Voices> = HashMap::new();
        for file in dir.map(folder_files).transpose()?.unwrap_or_default() {
            let loaded = Arc::new(load_file(&file.path)?);
            match file.place {
                Place::Shared(language) => shared.put(language, file.index, loaded),
                Place::Queue(queue, language) => {
                    queues.entry(queue).or_default().put(Some(language), file.index, loaded);
                }
                // `x/music.wav`: x may be a queue or a language, so it serves both.
                Place::QueueOrLanguage(name) => {
                    let queue = queues.entry(QueueId(name.clone())).or_default();
                    queue.put(None, file.index, Arc::clone(&loaded));
                    if let Some(language) = language_key(&name) {
                        shared.put(Some(language), file.index, loaded);
                    }
                }
            }
        }
        let Imported { sounds, texts } = imported;
        for (name, version, stored) in sounds {
            let Some(loaded) = of_database(&name, &version, stored) else { continue };
            let voices = match name.queue() {
                Some(queue) => queues.entry(queue.clone()).or_default(),
                None => &mut shared,
            };
            voices.put(name.tag().map(str::to_owned), name.index(), loaded);
        }
        for ((name, version), text) in texts {
            let voices = match name.queue() {
                Some(queue) => queues.get_mut(queue),
                None => Some(&mut shared),
            };
            let said = voices.and_then(|voices| voices.at(name.tag(), name.index()));
            // A text is of one version: what was noted of another says nothing of this one.
            if let Some(loaded) = said.filter(|loaded| loaded.sha256 == version) {
                *loaded = Arc::new(Loaded {
                    text: Some(text).filter(|text| !text.is_empty()),
                    ..Loaded::clone(loaded)
                });
            }
        }
        let english = whole(&shared)?;
        Ok(Self { queues, shared, english, warned: Mutex::default() })
    }

    /// The prompt of this very name, if there is one.
    #[must_use]
    pub fn named(&self, name: &PromptName) -> Option<&Arc<Loaded>> {
        let voices = match name.queue() {
            Some(queue) => self.queues.get(queue)?,
            None => &self.shared,
        };
        match name.tag() {
            Some(tag) => voices.find(Some(tag), name.index()),
            None => voices.music.as_ref(),
        }
    }

    /// Every prompt there is, by name.
    #[must_use]
    pub fn all(&self) -> BTreeMap<PromptName, Arc<Loaded>> {
        let mut all = BTreeMap::new();
        let queues = self.queues.iter().map(|(queue, voices)| (Some(queue), voices));
        for (queue, voices) in queues.chain([(None, &self.shared)]) {
            for (tag, spoken) in &voices.languages {
                for (index, loaded) in spoken.iter().enumerate() {
                    if let Some(loaded) = loaded {
                        all.insert(PromptName::of(queue, Some(tag), index), Arc::clone(loaded));
                    }
                }
            }
            if let Some(music) = &voices.music {
                all.insert(PromptName::of(queue, None, MUSIC), Arc::clone(music));
            }
        }
        all
    }

    /// Which prompt callers of a queue hear in a language.
    ///
    /// # Errors
    /// Where there is none in this language: the name that is missing, for which English is played.
    pub fn heard(&self, queue: &QueueId, language: &Language, name: &str) -> Result<PromptName, PromptName> {
        let index = NAMES.iter().position(|known| *known == name).unwrap_or(MUSIC);
        let tag = language.0.to_ascii_lowercase();
        let primary = tag.split('-').next().unwrap_or_default();
        let own = self.queues.get(queue).map(|voices| (Some(queue), voices));
        let voices = || own.into_iter().chain([(None, &self.shared)]);
        for tag in [tag.as_str(), primary] {
            for (queue, voices) in voices() {
                if voices.find(Some(tag), index).is_some() {
                    return Ok(PromptName::of(queue, Some(tag), index));
                }
            }
        }
        if index != MUSIC {
            return Err(PromptName::of(None, Some(primary), index));
        }
        let has_music = voices().find(|(_, voices)| voices.music.is_some());
        Ok(PromptName::of(has_music.and_then(|(queue, _)| queue), None, MUSIC))
    }

    /// The imported ones by version: what need not be read once more.
    pub(super) fn imported(&self) -> HashMap<String, Arc<Loaded>> {
        let all = self.all().into_values();
        let imported = all.filter(|loaded| loaded.source == Source::Imported);
        imported.map(|loaded| (loaded.sha256.clone(), loaded)).collect()
    }

    /// The sound of `prompt` for a queue in a language: the queue's own, else that of all queues; for
    /// `de-AT` then those of `de`; at last English, with a warning the first time.
    #[must_use]
    pub fn get(&self, queue: &QueueId, language: &Language, prompt: Prompt) -> Arc<Loaded> {
        let index = index(prompt);
        let tag = language.0.to_ascii_lowercase();
        let voices = || self.queues.get(queue).into_iter().chain([&self.shared]);
        if let Some(loaded) = self.spoken(queue, language, prompt) {
            return Arc::clone(loaded);
        }
        if index == MUSIC {
            let music = voices().find_map(|voices| voices.music.as_ref());
            return Arc::clone(music.unwrap_or(&self.english[MUSIC]));
        }
        self.warn_once(&tag, NAMES[index]);
        let own = self.queues.get(queue).and_then(|voices| voices.find(Some(ENGLISH), index));
        Arc::clone(own.unwrap_or(&self.english[index]))
    }

    /// As [`Self::get`], but nothing where it is not there in this language.
    fn spoken(&self, queue: &QueueId, language: &Language, prompt: Prompt) -> Option<&Arc<Loaded>> {
        let index = index(prompt);
        let tag = language.0.to_ascii_lowercase();
        let primary = tag.split('-').next().unwrap_or_default();
        let voices = || self.queues.get(queue).into_iter().chain([&self.shared]);
        [tag.as_str(), primary]
            .into_iter()
            .find_map(|tag| voices().find_map(|voices| voices.find(Some(tag), index)))
    }

    /// What callers of a queue hear in a language, for the linter.
    #[must_use]
    pub fn wording(&self, queue: &QueueId, language: &Language) -> Wording {
        let spoken = |prompt| {
            let missing = self.spoken(queue, language, prompt).is_none();
            let loaded = self.get(queue, language, prompt);
            let (text, version) = (loaded.text.clone(), loaded.sha256.clone());
            Spoken { text, missing, version, changed: false }
        };
        Wording {
            language: language.clone(),
            welcome: spoken(Prompt::Welcome),
            question: spoken(Prompt::ConsentQuestion),
            refused: spoken(Prompt::Refused),
        }
    }

    /// The languages with a consent question for all queues, in order.
    #[must_use]
    pub fn languages(&self) -> Vec<Language> {
        let question = index(Prompt::ConsentQuestion);
        let asks = self.shared.languages.iter().filter(|(_, voice)| voice[question].is_some());
        let sorted: BTreeSet<&String> = asks.map(|(tag, _)| tag).collect();
        sorted.into_iter().cloned().map(Language).collect()
    }

    fn warn_once(&self, language: &str, name: &'static str) {
        // A panic elsewhere cannot leave a set of strings in a bad state.
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.insert((language.to_owned(), name)) {
            tracing::warn!(language, prompt = name, "no prompt in this language: English is played instead");
        }
    }
}

impl Voices {
    fn put(&mut self, language: Option<String>, index: usize, loaded: Arc<Loaded>) {
        match language {
            Some(language) => self.languages.entry(language).or_default()[index] = Some(loaded),
            None => self.music = Some(loaded),
        }
    }

    fn find(&self, language: Option<&str>, index: usize) -> Option<&Arc<Loaded>> {
        self.languages.get(language?)?[index].as_ref()
    }

    fn at(&mut self, language: Option<&str>, index: usize) -> Option<&mut Arc<Loaded>> {
        match language {
            Some(language) => self.languages.get_mut(language)?[index].as_mut(),
            None => self.music.as_mut(),
        }
    }
}

/// Whose prompt a file is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// All queues', in a language; without one: music.
    Shared(Option<String>),
    /// A queue's, in a language.
    Queue(QueueId, String),
    /// Music one folder down.
    QueueOrLanguage(String),
}

/// A prompt file in a folder.
#[derive(Debug)]
pub(super) struct PromptFile {
    pub(super) path: PathBuf,
    pub(super) place: Place,
    /// In [`NAMES`].
    pub(super) index: usize,
}

/// Every file of `dir` that is a prompt by place and name, in order of their paths. The 16 kHz
/// version of a prompt that is there in 8 kHz is passed over.
pub(super) fn folder_files(dir: &Path) -> Result<Vec<PromptFile>, PromptError> {
    let mut found: Vec<PromptFile> = Vec::new();
    let mut seen: HashMap<(Place, usize), PathBuf> = HashMap::new();
    if !dir.exists() {
        return Ok(found);
    }
    for path in wav_files(dir)? {
        let Some((place, index)) = place_of(path.strip_prefix(dir).unwrap_or(&path)) else {
            tracing::warn!(file = %path.display(), "not the name and place of any prompt: ignored");
            continue;
        };
        let wide = path.to_string_lossy().ends_with(".16k.wav");
        if wide
            && path
                .to_string_lossy()
                .strip_suffix("16k.wav")
                .is_some_and(|stem| Path::new(&format!("{stem}8k.wav")).exists())
        {
            continue;
        }
        if let Some(first) = seen.insert((place.clone(), index), path.clone()) {
            return Err(PromptError::Twice { first, second: path });
        }
        found.push(PromptFile { path, place, index });
    }
    Ok(found)
}

/// All `.wav` files under `dir`, sorted; hidden files and folders are left out.
pub(super) fn wav_files(dir: &Path) -> Result<Vec<PathBuf>, PromptError> {
    let failed = |source| PromptError::Read { path: dir.to_owned(), source };
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort();
    let mut found = Vec::new();
    for path in entries {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            found.extend(wav_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("wav")) {
            found.push(path);
        }
    }
    Ok(found)
}

/// The prompt a file is, by its path below the prompts folder.
fn place_of(relative: &Path) -> Option<(Place, usize)> {
    let parts: Vec<&str> = relative.iter().map(|part| part.to_str()).collect::<Option<_>>()?;
    let (file, folders) = parts.split_last()?;
    let index = name_index(file)?;
    let place = match *folders {
        [] if index == MUSIC => Place::Shared(None),
        [name] if index == MUSIC => Place::QueueOrLanguage(name.to_owned()),
        [language] => Place::Shared(Some(language_key(language)?)),
        [queue, language] => Place::Queue(queue.into(), language_key(language)?),
        _ => return None,
    };
    Some((place, index))
}

/// The place in [`NAMES`] of a file's name, such as `welcome.wav` or `welcome.8k.wav`.
pub(super) fn name_index(file: &str) -> Option<usize> {
    let stem = file.strip_suffix(".wav").or_else(|| file.strip_suffix(".WAV"))?;
    let stem = stem.strip_suffix(".8k").or_else(|| stem.strip_suffix(".16k")).unwrap_or(stem);
    NAMES.iter().position(|name| *name == stem)
}

fn load_file(path: &Path) -> Result<Loaded, PromptError> {
    let from = (Source::Folder, path.display().to_string());
    load(path, from, &wav::read_bytes(path)?, noted(path))
}

/// The text beside a sound: `welcome.txt` of `welcome.8k.wav`. One that is older than the sound is what another said.
fn noted(path: &Path) -> Option<String> {
    let text = text_of(path)?;
    let changed = |path: &Path| std::fs::metadata(path).and_then(|file| file.modified()).ok();
    let is_new = changed(&text)? >= changed(path)?;
    let text = is_new.then(|| std::fs::read_to_string(&text).ok()).flatten()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Where the text of a sound is.
fn text_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let name = NAMES.get(name_index(name)?)?;
    Some(path.with_file_name(format!("{name}.txt")))
}

fn load(
    path: &Path,
    from: (Source, String),
    bytes: &[u8],
    text: Option<String>,
) -> Result<Loaded, PromptError> {
    let clip = wav::decode(bytes).map_err(|source| PromptError::Wav { path: path.to_owned(), source })?;
    let pcm =
        wav::to_pcm(&clip, RATE).map_err(|source| PromptError::Resample { path: path.to_owned(), source })?;
    let sound = Arc::new(Sound::from_pcm8k(&pcm));
    let ((source, origin), lufs) = (from, OnceLock::new());
    Ok(Loaded { duration: sound.duration(), sound, sha256: sha256(bytes), origin, source, text, lufs })
}

/// A prompt of the database; `None`: it is not what was stored there.
fn of_database(name: &PromptName, version: &str, stored: Stored) -> Option<Arc<Loaded>> {
    let bytes = match stored {
        // What it says is noted of the version and the prompt, and may be another by now.
        Stored::Known(loaded) => return Some(Arc::new(Loaded { text: None, ..Loaded::clone(&loaded) })),
        Stored::Bytes(bytes) => bytes,
    };
    let path = PathBuf::from(name.to_string());
    match load(&path, (Source::Imported, "imported".to_owned()), &bytes, None) {
        Ok(loaded) if loaded.sha256 == version => Some(Arc::new(loaded)),
        Ok(loaded) => {
            tracing::error!(prompt = %name, version, is = loaded.sha256, "an imported prompt is not what was stored: it is not played");
            None
        }
        Err(error) => {
            tracing::error!(prompt = %name, version, %error, "an imported prompt cannot be read: it is not played");
            None
        }
    }
}

/// What is compiled in: read once, as it never changes.
fn shipped() -> Result<Voices, PromptError> {
    static SHIPPED: OnceLock<Voices> = OnceLock::new();
    if let Some(voices) = SHIPPED.get() {
        return Ok(voices.clone());
    }
    let mut voices = Voices::default();
    for name in Shipped::iter().filter(|name| name.ends_with(".8k.wav")) {
        let path = Path::new(name.as_ref());
        let (Some((Place::Shared(language), index)), Some(file)) = (place_of(path), Shipped::get(&name))
        else {
            continue;
        };
        let text = text_of(path).and_then(|path| Shipped::get(path.to_str()?));
        let text = text.and_then(|text| String::from_utf8(text.data.into_owned()).ok());
        let text = text.map(|text| text.trim().to_owned());
        let loaded = load(path, (Source::Shipped, format!("shipped: {name}")), &file.data, text)?;
        voices.put(language, index, Arc::new(loaded));
    }
    Ok(SHIPPED.get_or_init(|| voices).clone())
}

/// English, with nothing missing.
fn whole(shared: &Voices) -> Result<[Arc<Loaded>; NAMES.len()], PromptError> {
    let find = |(index, name): (usize, &'static str)| {
        let music = shared.music.as_ref().filter(|_| index == MUSIC);
        let loaded = shared.find(Some(ENGLISH), index).or(music);
        loaded.cloned().ok_or(PromptError::ShippedMissing { name })
    };
    let all: Vec<Arc<Loaded>> = NAMES.into_iter().enumerate().map(find).collect::<Result<_, _>>()?;
    Ok(all.try_into().expect("one for each of NAMES"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{file, formats, tone};
    use super::*;

    fn put(dir: &Path, name: &str, hz: f64) -> String {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().expect("in a folder")).expect("makes it");
        let bytes = file(formats(16_000, 1)[1], &tone(hz, 16_000, 0.1, 0.0));
        std::fs::write(&path, &bytes).expect("writes");
        sha256(&bytes)
    }

    fn language(tag: &str) -> Language {
        Language(tag.to_owned())
    }

    #[test]
    fn the_shipped_prompts_are_there_in_five_languages() {
        let library = Library::open(None).expect("opens");
        let tags: Vec<String> = library.languages().into_iter().map(|language| language.0).collect();
        assert_eq!(tags, ["de", "en", "es", "fi", "fr"]);
        let queue = QueueId::from("sales");
        let german = library.get(&queue, &language("de"), Prompt::ConsentQuestion);
        assert_eq!(german.origin, "shipped: de/consent-question.8k.wav");
        assert_eq!(german.sha256.len(), 64);
        assert_eq!(german.duration, german.sound.duration());
        assert!((10..25).contains(&german.duration.as_secs()), "{:?}", german.duration);
        let austrian = library.get(&queue, &language("de-AT"), Prompt::ConsentQuestion);
        assert!(Arc::ptr_eq(&austrian, &german));
        let music = library.get(&queue, &language("de"), Prompt::Music);
        assert_eq!(music.origin, "shipped: music.8k.wav");
        let ninth = library.get(&queue, &language("fi"), Prompt::Position(9));
        assert_eq!(ninth.origin, "shipped: fi/position-9.8k.wav");
    }

    #[test]
    fn an_unknown_language_falls_back_to_english_and_warns_once() {
        let library = Library::open(None).expect("opens");
        let queue = QueueId::from("sales");
        for _ in 0..3 {
            let played = library.get(&queue, &language("xx"), Prompt::Welcome);
            assert_eq!(played.origin, "shipped: en/welcome.8k.wav");
        }
        let warned = library.warned.lock().expect("whole").clone();
        assert_eq!(warned.into_iter().collect::<Vec<_>>(), [("xx".to_owned(), "welcome")]);
        // Music has no language: nothing to warn of.
        assert_eq!(library.get(&queue, &language("xx"), Prompt::Music).origin, "shipped: music.8k.wav");
        assert_eq!(library.warned.lock().expect("whole").len(), 1);
    }

    #[test]
    fn a_folder_overrides_for_all_queues_or_for_one() {
        let dir = tempfile::tempdir().expect("a folder");
        let all = put(dir.path(), "de/welcome.wav", 300.0);
        let one = put(dir.path(), "sales/de/welcome.8k.wav", 400.0);
        put(dir.path(), "sales/de/welcome.16k.wav", 400.0);
        let swedish = put(dir.path(), "sv/consent-question.wav", 500.0);
        let music = put(dir.path(), "sales/music.wav", 600.0);
        let own = put(dir.path(), "sales/en/thanks.wav", 700.0);
        put(dir.path(), "de/no-such-prompt.wav", 700.0);
        put(dir.path(), ".versions/de/welcome.wav", 800.0);
        let library = Library::open(Some(dir.path())).expect("opens");
        let (sales, other) = (QueueId::from("sales"), QueueId::from("other"));
        let get = |queue, tag, prompt| library.get(queue, &language(tag), prompt);
        assert_eq!(get(&other, "de", Prompt::Welcome).sha256, all);
        assert_eq!(get(&sales, "de", Prompt::Welcome).sha256, one);
        assert_eq!(get(&sales, "de", Prompt::Welcome).sound.len(), 800, "16 kHz is converted");
        assert_eq!(get(&sales, "de", Prompt::Thanks).origin, "shipped: de/thanks.8k.wav");
        assert_eq!(get(&sales, "sv", Prompt::ConsentQuestion).sha256, swedish);
        assert_eq!(get(&sales, "sv", Prompt::Thanks).sha256, own, "the queue's English before the shipped");
        assert_eq!(get(&sales, "fr", Prompt::Music).sha256, music);
        assert_eq!(get(&other, "fr", Prompt::Music).origin, "shipped: music.8k.wav");
        assert!(library.languages().contains(&language("sv")));
    }

    #[test]
    fn another_file_has_another_hash_and_the_old_stays_with_its_calls() {
        let dir = tempfile::tempdir().expect("a folder");
        let (queue, english) = (QueueId::from("q"), language("en"));
        let first = put(dir.path(), "en/consent-question.wav", 300.0);
        let library = Library::open(Some(dir.path())).expect("opens");
        let second = put(dir.path(), "en/consent-question.wav", 301.0);
        assert_ne!(first, second);
        assert_eq!(library.get(&queue, &english, Prompt::ConsentQuestion).sha256, first);
        let again = Library::open(Some(dir.path())).expect("opens");
        assert_eq!(again.get(&queue, &english, Prompt::ConsentQuestion).sha256, second);
    }

    #[test]
    fn a_bad_file_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let says = || Library::open(Some(dir.path())).expect_err("refused").to_string();
        std::fs::create_dir(dir.path().join("de")).expect("makes it");
        std::fs::write(dir.path().join("de/thanks.wav"), b"OggS and more").expect("writes");
        assert!(says().contains("de/thanks.wav: this is an Ogg file"), "{}", says());
        put(dir.path(), "de/thanks.wav", 300.0);
        put(dir.path(), "de/thanks.8k.wav", 300.0);
        assert!(says().contains("de/thanks.8k.wav and "), "{}", says());
        assert!(says().contains("are the same prompt"), "{}", says());
        assert!(Library::open(Some(&dir.path().join("none"))).is_ok(), "no folder, nothing overridden");
    }
}
