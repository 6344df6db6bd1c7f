//! A connection that is borrowed from a pool, on which no wait lasts for ever: a database that is gone and did not say so looks
//! like one that takes long, so how long it may take is bounded here, for whatever is asked.

use std::{io, time::Duration};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream, stream::BoxStream};
use sqlx::{
    Either, Execute, Executor, PgConnection, Postgres, SqlStr,
    pool::PoolConnection,
    postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo},
};

/// How long a connection may take to answer when it is given back, and a transaction that nobody finished to be rolled back,
/// before it is closed for another.
const GIVEN_BACK_MS_MAX: u64 = 500;

/// A connection with its place in the pool, both given back when it is dropped: rolled back where a transaction is open, and
/// closed where a wait was given up.
#[derive(Debug)]
pub struct Borrowed {
    /// There until this is dropped.
    connection: Option<PoolConnection<Postgres>>,
    wait_max: Duration,
    state: State,
}

/// What is to be done before somebody else may have the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing.
    Clean,
    /// To roll back: a transaction was begun.
    InTransaction,
    /// To close it: what comes next on it may be the answer that was not waited for.
    GivenUp,
}

impl Borrowed {
    /// A connection on which each wait for the database, for a row or the end of a statement, is given up after this time.
    pub(super) fn new(connection: PoolConnection<Postgres>, wait_max: Duration) -> Self {
        Self {
            connection: Some(connection),
            wait_max,
            state: State::Clean,
        }
    }

    /// Says how long the database may take from here on.
    pub(super) fn wait_at_most(&mut self, wait_max: Duration) {
        self.wait_max = wait_max;
    }

    /// Begins a transaction with this statement. One that was begun is ended by [`Borrowed::commit`] or when this is dropped,
    /// also where the caller goes away before it knows that it was begun.
    pub(super) async fn begin(&mut self, statement: SqlStr) -> Result<(), sqlx::Error> {
        self.state = State::InTransaction;
        self.execute(statement).await?;
        Ok(())
    }

    /// Commits the transaction.
    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.execute("commit").await?;
        self.state = State::Clean;
        Ok(())
    }

    fn parts(&mut self) -> (&mut PgConnection, Duration, &mut State) {
        let connection = self.connection.as_mut().expect("it is not dropped");
        (connection, self.wait_max, &mut self.state)
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        let mut connection = self.connection.take().expect("it is dropped once");
        if self.state == State::GivenUp {
            connection.close_on_drop();
            return;
        }
        let in_transaction = self.state == State::InTransaction;
        tokio::spawn(async move {
            let given_back = async {
                if in_transaction && connection.execute("rollback").await.is_err() {
                    connection.close_on_drop();
                    return;
                }
                // sqlx asks whether it is alive, and would wait for that for ever.
                connection.return_to_pool().await;
            };
            let limit = Duration::from_millis(GIVEN_BACK_MS_MAX);
            if tokio::time::timeout(limit, given_back).await.is_err() {
                connection.close_on_drop();
            }
        });
    }
}

/// Waits, but not for ever.
async fn within<T>(
    wait_max: Duration,
    state: &mut State,
    wait: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(wait_max, wait).await.unwrap_or_else(|_| {
        *state = State::GivenUp;
        Err(sqlx::Error::Io(io::ErrorKind::TimedOut.into()))
    })
}

impl<'c> Executor<'c> for &'c mut Borrowed {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let (connection, wait_max, state) = self.parts();
        let rows = connection.fetch_many(query);
        stream::unfold((rows, state), move |(mut rows, state)| async move {
            let next = rows.next().map(Option::transpose);
            let next = within(wait_max, state, next).await.transpose()?;
            Some((next, (rows, state)))
        })
        .boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let (connection, wait_max, state) = self.parts();
        within(wait_max, state, connection.fetch_optional(query)).boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        let (connection, wait_max, state) = self.parts();
        within(wait_max, state, connection.prepare_with(sql, parameters)).boxed()
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<sqlx::Describe<Postgres>, sqlx::Error>>
    where
        'c: 'e,
    {
        let (connection, wait_max, state) = self.parts();
        within(wait_max, state, connection.describe(sql)).boxed()
    }
}
