/// Appends an integer.
pub fn put_int(out: &mut Vec<u8>, int: i64) {
    if int < 0 {
        out.extend_from_slice(b"i-");
    } else {
        out.push(b'i');
    }
    put_digits(out, int.unsigned_abs());
    out.push(b'e');
}

/// Appends an integer that is not negative. Readers elsewhere may not know one above [`i64::MAX`].
pub fn put_uint(out: &mut Vec<u8>, int: u64) {
    out.push(b'i');
    put_digits(out, int);
    out.push(b'e');
}

/// Appends a string.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_digits(out, bytes.len() as u64);
    out.push(b':');
    out.extend_from_slice(bytes);
}

/// Appends a list, whose items `fill` appends.
pub fn put_list(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'l');
    fill(out);
    out.push(b'e');
}

/// Appends a dictionary, whose entries `fill` writes in the order of their keys.
pub fn put_dict(out: &mut Vec<u8>, fill: impl FnOnce(&mut DictWriter<'_>)) {
    out.push(b'd');
    fill(&mut DictWriter { out });
    out.push(b'e');
}

/// Writes the entries of one dictionary. The caller gives them sorted by key, as raw bytes.
#[derive(Debug)]
pub struct DictWriter<'o> {
    out: &'o mut Vec<u8>,
}

impl DictWriter<'_> {
    /// An integer under `key`.
    pub fn int(&mut self, key: &str, int: i64) {
        put_int(self.key(key.as_bytes()), int);
    }

    /// An integer that is not negative under `key`.
    pub fn uint(&mut self, key: &str, int: u64) {
        put_uint(self.key(key.as_bytes()), int);
    }

    /// A string under `key`.
    pub fn bytes(&mut self, key: &str, bytes: &[u8]) {
        put_bytes(self.key(key.as_bytes()), bytes);
    }

    /// A list under `key`.
    pub fn list(&mut self, key: &str, fill: impl FnOnce(&mut Vec<u8>)) {
        put_list(self.key(key.as_bytes()), fill);
    }

    /// A dictionary under `key`.
    pub fn dict(&mut self, key: &str, fill: impl FnOnce(&mut DictWriter<'_>)) {
        put_dict(self.key(key.as_bytes()), fill);
    }

    /// Writes `key`, which need not be text; the caller appends exactly one value to what comes back.
    pub fn key(&mut self, key: &[u8]) -> &mut Vec<u8> {
        put_bytes(self.out, key);
        self.out
    }
}

fn put_digits(out: &mut Vec<u8>, mut int: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b"0123456789"[(int % 10) as usize];
        int /= 10;
        if int == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}
