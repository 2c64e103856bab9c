//! Writes `multipart/form-data` (RFC 7578) with ureq's encoder, which escapes no name.

use std::io::Read;

use ureq::unversioned::multipart;

/// A field of a form, or a file in it.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) name: String,
    /// File name and content type.
    pub(crate) file: Option<(String, String)>,
    pub(crate) data: Vec<u8>,
}

/// Returns the body and its content type, which contains the boundary.
pub(crate) fn encode(parts: &[Part]) -> Result<(Vec<u8>, String), String> {
    let names: Vec<_> = parts.iter().map(|part| escaped(&part.name)).collect();
    let mut form = multipart::Form::new();
    for (part, name) in parts.iter().zip(&names) {
        let mut body = multipart::Part::bytes(&part.data);
        if let Some((filename, content_type)) = &part.file {
            body = body
                .file_name(&escaped(filename))
                .mime_str(content_type)
                .map_err(|_| format!("invalid content type {content_type:?} in part {:?}", part.name))?;
        }
        form = form.part(name, body);
    }
    let content_type = format!("multipart/form-data; boundary={}", form.boundary());
    let mut body = Vec::new();
    form.read_to_end(&mut body).map_err(|error| format!("cannot encode the multipart body: {error}"))?;
    Ok((body, content_type))
}

/// HTML §4.10.21.8: characters that would end the name are percent-encoded.
fn escaped(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: &str) -> Part {
        Part { name: name.into(), file: None, data: value.into() }
    }

    fn file(name: &str, content_type: &str, data: &[u8]) -> Part {
        Part { name: name.into(), file: Some(("b.bin".into(), content_type.into())), data: data.into() }
    }

    #[test]
    fn parts_stand_between_boundaries_with_names_that_cannot_break_out() {
        let (body, content_type) = encode(&[field("a\"\r\nx: y", "1"), file("file", "image/png", b"\0\xff")]).unwrap();
        let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        let expected = [
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"a%22%0D%0Ax: y\"\r\n\r\n1").into_bytes(),
            format!("\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"b.bin\"\r\n")
                .into_bytes(),
            b"Content-Type: image/png\r\n\r\n\0\xff".to_vec(),
            format!("\r\n--{boundary}--\r\n").into_bytes(),
        ];
        assert_eq!(body, expected.concat());
    }

    #[test]
    fn a_boundary_is_random() {
        let parts = [field("a", "1")];
        assert_ne!(encode(&parts).unwrap().1, encode(&parts).unwrap().1);
    }

    #[test]
    fn a_bad_content_type_is_named() {
        let unusable = encode(&[file("file", "not a type", b"")]).unwrap_err();
        assert!(unusable.contains("not a type") && unusable.contains("file"), "{unusable}");
    }
}
