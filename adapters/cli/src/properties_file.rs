//! Java's .properties files.

use std::path::Path;

use java_properties::{LineContent, PropertiesIter};

/// A setting, and the line on which it begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Property {
    pub(crate) key: String,
    pub(crate) value: String,
    /// From 1.
    pub(crate) line: usize,
}

/// The settings of a file, in their order.
///
/// # Errors
/// Why it cannot be read, with the file and the line.
pub(crate) fn read(path: &Path) -> Result<Vec<Property>, String> {
    let name = path.display();
    let bytes = std::fs::read(path).map_err(|error| format!("{name} cannot be read: {error}"))?;
    let mut properties = Vec::new();
    for line in PropertiesIter::new(&bytes[..]) {
        let line = line.map_err(|error| {
            let text = error.to_string();
            let number = error.line_number().unwrap_or(0);
            let text = text.strip_suffix(&format!(" (line_number = {number})")).unwrap_or(&text);
            format!("{name}, line {number}: {text}")
        })?;
        let number = line.line_number();
        if let LineContent::KVPair(key, value) = line.consume_content() {
            properties.push(Property { key, value, line: number });
        }
    }
    Ok(properties)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(name: &str, text: &[u8]) -> Result<Vec<(String, String, usize)>, String> {
        let path = std::env::temp_dir().join(format!("ottla-{name}-{}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        let read = read(&path);
        std::fs::remove_file(&path).unwrap();
        Ok(read?.into_iter().map(|p| (p.key, p.value, p.line)).collect())
    }

    #[test]
    fn files_are_read_as_java_reads_them() {
        let text = b"# brokers\n\n! more\nbootstrap.servers = a:1,\\\n    b:2\nlinger.ms:5\n\
            client.id=caf\\u00e9 \xe9\nacks all\n";
        let expected = [
            ("bootstrap.servers", "a:1,b:2", 4),
            ("linger.ms", "5", 6),
            ("client.id", "café é", 7),
            ("acks", "all", 8),
        ];
        let expected = expected.map(|(key, value, line)| (key.to_owned(), value.to_owned(), line));
        assert_eq!(read_text("properties", text), Ok(expected.to_vec()));
    }

    #[test]
    fn errors_name_the_file_and_the_line() {
        let error = read_text("wrong", b"acks=all\nclient.id=\\u00zz\n").unwrap_err();
        assert!(error.contains("ottla-wrong-") && error.contains(", line 2: "), "{error}");
        assert!(!error.contains("line_number"), "{error}");
        let error = read(Path::new("/no/such/file")).unwrap_err();
        assert!(error.starts_with("/no/such/file cannot be read: "), "{error}");
    }
}
