//! Roles: what an operator may do in a tenant.

crate::words! {
    /// The role of an operator in a tenant.
    pub enum Role {
        /// Everything, and the only role that exports secrets and names other owners.
        Owner = "owner",
        /// Operators, bots, tokens and settings, and all that operators and reviewers do.
        Admin = "admin",
        /// Imports, assigns, edits, starts and works steps.
        Operator = "operator",
        /// Decides reviews and works steps.
        Reviewer = "reviewer",
        /// Looks.
        Viewer = "viewer",
    }
}

impl Role {
    /// Whether a holder of this role may give `other` to somebody, or a token: nobody gives more than they have.
    pub fn may_give(self, other: Role) -> bool {
        match self {
            Role::Owner => true,
            Role::Admin => other != Role::Owner,
            _ => self == other || other == Role::Viewer,
        }
    }
}
