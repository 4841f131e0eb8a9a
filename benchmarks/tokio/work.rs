// What one process measures, as its command line says in words of the form `key=value`.

pub const THREADS: usize = 2;
pub const RESTARTS: usize = 100;
const RESTART_TASKS: usize = 100;

#[derive(Clone, Copy, PartialEq)]
pub enum Wait {
    None,
    Token,
    Sleep,
}

pub struct Work {
    pub work: String,
    pub program: String,
    pub tasks: usize,
    pub wait: Wait,
    pub inside: bool,
    pub child_tokens: bool,
    pub named: bool,
    pub joinset: bool,
    allocator: String,
}

impl Work {
    pub fn read(words: impl Iterator<Item = String>) -> Result<Work, String> {
        let mut work = Work {
            work: "park".into(),
            program: "tokio".into(),
            tasks: 1000,
            wait: Wait::Token,
            inside: false,
            child_tokens: false,
            named: true,
            joinset: false,
            allocator: "-".into(),
        };
        for word in words {
            let not_understood = || format!("not understood: '{word}'");
            let (key, value) = word.split_once('=').ok_or_else(not_understood)?;
            match (key, value) {
                ("work", "park" | "finish" | "restart" | "fairness" | "price" | "sharing") => work.work = value.into(),
                ("program", "tokio" | "tokio-unnamed" | "tokio-joinset") => work.program = value.into(),
                ("tasks", _) => work.tasks = value.parse().map_err(|_| not_understood())?,
                ("wait", "none") => work.wait = Wait::None,
                ("wait", "token") => work.wait = Wait::Token,
                ("wait", "sleep") => work.wait = Wait::Sleep,
                ("spawn", "inside" | "outside") => work.inside = value == "inside",
                ("token", "child" | "shared") => work.child_tokens = value == "child",
                ("allocator", _) => work.allocator = value.into(),
                _ => return Err(not_understood()),
            }
        }
        work.named = work.program == "tokio";
        work.joinset = work.program == "tokio-joinset";
        if work.joinset && work.inside {
            return Err("a JoinSet has one owner: spawn=outside".into());
        }
        if work.work == "finish" {
            work.wait = Wait::None;
        }
        if work.work == "restart" {
            work.tasks = RESTART_TASKS;
        }
        Ok(work)
    }

    /// The members of an object, without its braces.
    pub fn as_json(&self) -> String {
        format!(
            "\"work\":\"{}\",\"program\":\"{}\",\"tasks\":{},\"spawn\":\"{}\",\"token\":\"{}\",\"allocator\":\"{}\"",
            self.work,
            self.program,
            self.tasks,
            if self.inside { "inside" } else { "outside" },
            if self.child_tokens { "child" } else { "shared" },
            self.allocator
        )
    }
}
