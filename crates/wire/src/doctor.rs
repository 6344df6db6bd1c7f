//! What the doctor says.

crate::wire! {
    /// Everything that was found; nothing, where all is well.
    pub struct Examination {
        /// The findings, the data's before the server's.
        pub findings: Vec<Finding>,
    }
}

crate::wire! {
    /// Something that is not as it must be.
    pub struct Finding {
        /// Which check found it, as a stable word.
        pub code: String,
        /// What is wrong.
        pub what: String,
        /// What ends it, in plain words.
        pub cure: String,
        /// One SQL statement for the database's superuser, where the cure is to run it. Heals every tenant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub repair: Option<String>,
        /// How many things are wrong in this way.
        pub count: i64,
        /// The first of them.
        pub examples: Vec<String>,
    }
}
