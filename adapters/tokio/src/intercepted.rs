//! The ways into a batch, for producers that have interceptors: apart, so that the others do not
//! pay for them.

use ottla::{Instant, Refused};

use crate::delivery::{Deliveries, Delivery};
use crate::error::{SendError, SendManyError};
use crate::interceptor::Outgoing;
use crate::producer::{CHUNK, Item, Producer};
use crate::record::Record;
use crate::shared::Core;
use crate::waiters::Admitted;

impl Producer {
    /// [`Producer::admit`].
    pub(crate) async fn admit_intercepted<T>(
        &self,
        record: Record<'_>,
        accept: impl Fn(&mut Core, Instant, &Item<'_>) -> Result<Admitted<T>, Refused>,
    ) -> Result<T, SendError> {
        let interceptors = &self.config().interceptors;
        let outgoing = interceptors.send(record);
        let headers = outgoing.lend_headers();
        let admitted = self.admit(outgoing.lend(headers.as_ref()), accept).await;
        admitted.inspect_err(|error| interceptors.refused(error))
    }

    /// [`Producer::admit_now`].
    pub(crate) fn admit_now_intercepted(&self, record: Record<'_>) -> Result<Delivery, SendError> {
        let interceptors = &self.config().interceptors;
        let outgoing = interceptors.send(record);
        let headers = outgoing.lend_headers();
        let admitted = self.admit_now(outgoing.lend(headers.as_ref()));
        admitted.inspect_err(|error| interceptors.refused(error))
    }

    /// [`Producer::admit_many`].
    pub(crate) async fn admit_many_intercepted<'r>(
        &self,
        records: &mut impl Iterator<Item = Record<'r>>,
    ) -> Result<Deliveries, SendManyError> {
        let interceptors = &self.config().interceptors;
        let mut accepted = Deliveries::default();
        loop {
            let some = records.by_ref().take(CHUNK).map(|record| interceptors.send(record));
            let some: Vec<Outgoing<'r>> = some.collect();
            if some.is_empty() {
                return Ok(accepted);
            }
            let headers: Vec<_> = some.iter().map(Outgoing::lend_headers).collect();
            let lent = some.iter().zip(&headers);
            let lent: Vec<Record<'_>> =
                lent.map(|(one, headers)| one.lend(headers.as_ref())).collect();
            match self.admit_many(&mut lent.into_iter()).await {
                Ok(more) => accepted.append(more),
                Err(SendManyError { accepted: more, error }) => {
                    interceptors.refused(&error);
                    accepted.append(more);
                    return Err(SendManyError { accepted, error });
                }
            }
        }
    }
}
