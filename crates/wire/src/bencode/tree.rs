use super::{Keys, Rules, Trailing};
use crate::Malformed;

/// A bencoded value, read and checked, borrowing from its bytes.
#[derive(Debug, Clone)]
pub struct Tree<'a> {
    input: &'a [u8],
    /// Every item in the order of its first byte; a dictionary's children are key, value, key, value…
    nodes: Vec<Node>,
}

/// One value of a [`Tree`].
#[derive(Debug, Clone, Copy)]
pub struct Value<'t, 'a> {
    tree: &'t Tree<'a>,
    index: usize,
}

/// A list of a [`Tree`].
#[derive(Debug, Clone, Copy)]
pub struct List<'t, 'a>(Value<'t, 'a>);

/// A dictionary of a [`Tree`].
#[derive(Debug, Clone, Copy)]
pub struct Dict<'t, 'a>(Value<'t, 'a>);

/// What one item costs in memory, in bytes; it takes two bytes of input or more.
pub const NODE_BYTES: usize = size_of::<Node>();

#[derive(Debug, Clone, Copy)]
struct Node {
    /// Where the item's raw bytes start and end in the input.
    start: u32,
    end: u32,
    /// A string's first byte in the input; a list's or dictionary's next sibling in `nodes`; nothing of an integer.
    skip: u32,
}

impl<'a> Tree<'a> {
    /// Reads one value from the start of `input`.
    ///
    /// # Errors
    /// Bytes that are not bencode, or that `rules` do not allow; the message quotes them and says where they are.
    pub fn parse(input: &'a [u8], rules: &Rules) -> Result<Self, Malformed> {
        if u32::try_from(input.len()).is_err() {
            return Err(Malformed::new(format!(
                "bencode of {} bytes is too long: below 4 GiB is expected",
                input.len()
            )));
        }
        let mut parser = Parser { input, at: 0, nodes: Vec::new(), open: Vec::new(), rules };
        parser.run()?;
        let Parser { at, nodes, .. } = parser;
        if rules.trailing == Trailing::Refused && at < input.len() {
            return Err(fault(input, at, input.len(), "the end"));
        }
        Ok(Self { input, nodes })
    }

    /// The value itself.
    #[must_use]
    pub fn root(&self) -> Value<'_, 'a> {
        Value { tree: self, index: 0 }
    }

    /// Where the value ends in the input, and any trailing bytes start.
    #[must_use]
    pub fn end(&self) -> usize {
        self.nodes[0].end as usize
    }

    /// How many items there are, keys included: at most half as many as bytes.
    #[must_use]
    pub fn items(&self) -> usize {
        self.nodes.len()
    }
}

impl<'t, 'a> Value<'t, 'a> {
    fn node(self) -> Node {
        self.tree.nodes[self.index]
    }

    fn tag(self) -> u8 {
        self.tree.input[self.node().start as usize]
    }

    /// The index of what follows this value and all inside it.
    fn next(self) -> usize {
        match self.tag() {
            b'l' | b'd' => self.node().skip as usize,
            _ => self.index + 1,
        }
    }

    /// The value's own bytes, as they stand in the input.
    #[must_use]
    pub fn raw(self) -> &'a [u8] {
        let Node { start, end, .. } = self.node();
        &self.tree.input[start as usize..end as usize]
    }

    /// Where the value starts in the input, in bytes.
    #[must_use]
    pub fn offset(self) -> usize {
        self.node().start as usize
    }

    /// The bytes of a string; `None` if it is something else.
    #[must_use]
    pub fn as_bytes(self) -> Option<&'a [u8]> {
        let Node { end, skip, .. } = self.node();
        self.tag().is_ascii_digit().then(|| &self.tree.input[skip as usize..end as usize])
    }

    /// The integer; `None` if it is something else.
    #[must_use]
    pub fn as_int(self) -> Option<i64> {
        let digits = self.raw().strip_prefix(b"i")?.strip_suffix(b"e")?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    /// The list; `None` if it is something else.
    #[must_use]
    pub fn as_list(self) -> Option<List<'t, 'a>> {
        (self.tag() == b'l').then_some(List(self))
    }

    /// The dictionary; `None` if it is something else.
    #[must_use]
    pub fn as_dict(self) -> Option<Dict<'t, 'a>> {
        (self.tag() == b'd').then_some(Dict(self))
    }

    /// That this value, which the sender calls `part`, is not `expected`.
    #[must_use]
    pub fn fault(self, part: &str, expected: &str) -> Malformed {
        Malformed::found(&format!("{part} at byte {}", self.offset()), self.raw(), expected)
    }

    fn children(self) -> impl Iterator<Item = Value<'t, 'a>> + use<'t, 'a> {
        let end = self.next();
        let mut index = self.index + 1;
        std::iter::from_fn(move || {
            let child = Value { tree: self.tree, index };
            (index < end).then(|| {
                index = child.next();
                child
            })
        })
    }
}

impl<'t, 'a> List<'t, 'a> {
    /// The items in order.
    pub fn iter(self) -> impl Iterator<Item = Value<'t, 'a>> + use<'t, 'a> {
        self.0.children()
    }
}

impl<'t, 'a> Dict<'t, 'a> {
    /// The entries in the order of the input.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], Value<'t, 'a>)> + use<'t, 'a> {
        let mut children = self.0.children();
        std::iter::from_fn(move || Some((children.next()?.as_bytes()?, children.next()?)))
    }

    /// The value of `key`; the first, if it comes twice. It looks at every entry before it.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Value<'t, 'a>> {
        self.iter().find(|(k, _)| *k == key.as_bytes()).map(|(_, value)| value)
    }

    /// The string at `key`, if there is one.
    ///
    /// # Errors
    /// Something else than a string is there.
    pub fn bytes(self, key: &str) -> Result<Option<&'a [u8]>, Malformed> {
        self.typed(key, "a string", Value::as_bytes)
    }

    /// The integer at `key`, if there is one.
    ///
    /// # Errors
    /// Something else than an integer is there.
    pub fn int(self, key: &str) -> Result<Option<i64>, Malformed> {
        self.typed(key, "an integer", Value::as_int)
    }

    /// The list at `key`, if there is one.
    ///
    /// # Errors
    /// Something else than a list is there.
    pub fn list(self, key: &str) -> Result<Option<List<'t, 'a>>, Malformed> {
        self.typed(key, "a list", Value::as_list)
    }

    /// The dictionary at `key`, if there is one.
    ///
    /// # Errors
    /// Something else than a dictionary is there.
    pub fn dict(self, key: &str) -> Result<Option<Dict<'t, 'a>>, Malformed> {
        self.typed(key, "a dictionary", Value::as_dict)
    }

    /// The dictionary as a value, with its span.
    #[must_use]
    pub fn value(self) -> Value<'t, 'a> {
        self.0
    }

    fn typed<T>(
        self,
        key: &str,
        expected: &str,
        read: impl Fn(Value<'t, 'a>) -> Option<T>,
    ) -> Result<Option<T>, Malformed> {
        let Some(value) = self.get(key) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| value.fault(&format!("`{key}`"), expected))
    }
}

/// A parse under way. The lists and dictionaries still open are a stack of its own, not the program's.
struct Parser<'a, 'r> {
    input: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    open: Vec<Open<'a>>,
    rules: &'r Rules,
}

struct Open<'a> {
    node: usize,
    dict: bool,
    /// The key read last.
    key: Option<&'a [u8]>,
    /// Whether that key's value has not come yet.
    value_due: bool,
}

impl Parser<'_, '_> {
    fn run(&mut self) -> Result<(), Malformed> {
        loop {
            let Some(&tag) = self.input.get(self.at) else {
                return Err(self.fault(self.at, self.at, "complete: more is expected"));
            };
            match tag {
                b'e' => self.close()?,
                b'0'..=b'9' => self.string()?,
                _ if self.key_due() => return Err(self.fault(self.at, self.at + 1, "a key (`<length>:`)")),
                b'i' => self.int()?,
                b'l' | b'd' => self.open(tag)?,
                _ => {
                    return Err(self.fault(
                        self.at,
                        self.at + 1,
                        "the start of a value (`i`, `l`, `d`, a digit)",
                    ));
                }
            }
            if self.open.is_empty() {
                return Ok(());
            }
        }
    }

    fn key_due(&self) -> bool {
        self.open.last().is_some_and(|open| open.dict && !open.value_due)
    }

    fn open(&mut self, tag: u8) -> Result<(), Malformed> {
        if self.open.len() >= self.rules.depth_max {
            let expected = format!("allowed here: {} levels at most", self.rules.depth_max);
            return Err(self.fault(self.at, self.at + 1, &expected));
        }
        self.value_came();
        self.open.push(Open { node: self.nodes.len(), dict: tag == b'd', key: None, value_due: false });
        self.push(self.at, self.at + 1, 0);
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) -> Result<(), Malformed> {
        let open = match self.open.pop() {
            Some(open) if !open.value_due => open,
            Some(_) => return Err(self.fault(self.at, self.at + 1, "the value of the key before it")),
            None => return Err(self.fault(self.at, self.at + 1, "the start of a value")),
        };
        self.at += 1;
        let next = offset(self.nodes.len());
        let node = &mut self.nodes[open.node];
        node.end = offset(self.at);
        node.skip = next;
        Ok(())
    }

    fn int(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        let shown = self.input.len().min(start + INT_BYTES_MAX);
        let Some(length) = self.input[start..shown].iter().position(|&byte| byte == b'e') else {
            return Err(self.fault(start, shown, "an integer that ends with `e` and fits 64 bits"));
        };
        let end = start + length + 1;
        let digits = &self.input[start + 1..end - 1];
        let plain = digits.strip_prefix(b"-").unwrap_or(digits);
        let canonical = match plain {
            [b'0'] => plain.len() == digits.len(),
            [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        let fits = std::str::from_utf8(digits).is_ok_and(|digits| digits.parse::<i64>().is_ok());
        if !canonical || !fits {
            let expected = "an integer of 64 bits without leading zeros (`i42e`, `i-1e`, `i0e`)";
            return Err(self.fault(start, end, expected));
        }
        self.value_came();
        self.push(start, end, 0);
        self.at = end;
        Ok(())
    }

    fn string(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        let shown = self.input.len().min(start + LENGTH_BYTES_MAX);
        let colon = self.input[start..shown].iter().position(|&byte| byte == b':');
        let digits = &self.input[start..colon.map_or(shown, |colon| start + colon)];
        let canonical = digits.iter().all(u8::is_ascii_digit) && (digits.len() == 1 || digits[0] != b'0');
        let length = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<usize>().ok());
        let (Some(colon), true, Some(length)) = (colon, canonical, length) else {
            return Err(self.fault(start, shown, "a string's length (`4:`, without leading zeros)"));
        };
        let body = start + colon + 1;
        let left = self.input.len() - body;
        if length > left {
            let expected = format!("the length of a string that has {left} bytes left for it");
            return Err(self.fault(start, body, &expected));
        }
        let end = body + length;
        self.string_came(start, body, end)?;
        self.push(start, end, body);
        self.at = end;
        Ok(())
    }

    /// Notes a string as the key or value that its surroundings wait for.
    fn string_came(&mut self, start: usize, body: usize, end: usize) -> Result<(), Malformed> {
        if !self.key_due() {
            self.value_came();
            return Ok(());
        }
        let input = self.input;
        let key = &input[body..end];
        let canonical = self.rules.keys == Keys::Canonical;
        let Some(open) = self.open.last_mut() else { return Ok(()) };
        if canonical && open.key.is_some_and(|last| last >= key) {
            return Err(fault(input, start, end, "a key that sorts after the one before it"));
        }
        open.key = Some(key);
        open.value_due = true;
        Ok(())
    }

    fn value_came(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.value_due = false;
        }
    }

    fn push(&mut self, start: usize, end: usize, skip: usize) {
        self.nodes.push(Node { start: offset(start), end: offset(end), skip: offset(skip) });
    }

    fn fault(&self, start: usize, end: usize, expected: &str) -> Malformed {
        fault(self.input, start, end, expected)
    }
}

/// `i`, a sign, 19 digits, `e`.
const INT_BYTES_MAX: usize = 22;

/// The ten digits of a length below 4 GiB, and a colon.
const LENGTH_BYTES_MAX: usize = 11;

fn fault(input: &[u8], start: usize, end: usize, expected: &str) -> Malformed {
    Malformed::found(&format!("bencode at byte {start}"), &input[start..end.min(input.len())], expected)
}

/// Lossless: [`Tree::parse`] refuses an input that is longer than this can say, and there are fewer nodes than bytes.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
