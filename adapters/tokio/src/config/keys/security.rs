//! Keys of TLS and SASL: checked, and without effect as long as `security.protocol` is
//! `PLAINTEXT`, which is all that there is yet.

use super::values::Values;
use super::{ConfigKey, Role};

const UNUSED: &str = "has no effect with security.protocol=PLAINTEXT";
const MEANING: &str = "of TLS or SASL";

const fn key(name: &'static str, values: Values, default: &'static str) -> ConfigKey {
    ConfigKey { name, values, default, role: Role::Ignored(UNUSED), meaning: MEANING }
}

const fn text(name: &'static str) -> ConfigKey {
    key(name, Values::Text, "")
}

const fn password(name: &'static str) -> ConfigKey {
    key(name, Values::Password, "")
}

const fn class(name: &'static str) -> ConfigKey {
    key(name, Values::Class, "")
}

/// In order of their names.
pub(super) const KEYS: &[ConfigKey] = &[
    class("sasl.client.callback.handler.class"),
    password("sasl.jaas.config"),
    key("sasl.kerberos.kinit.cmd", Values::Text, "/usr/bin/kinit"),
    key("sasl.kerberos.min.time.before.relogin", Values::ANY_LONG, "60000"),
    text("sasl.kerberos.service.name"),
    key("sasl.kerberos.ticket.renew.jitter", Values::ANY_REAL, "0.05"),
    key("sasl.kerberos.ticket.renew.window.factor", Values::ANY_REAL, "0.8"),
    class("sasl.login.callback.handler.class"),
    class("sasl.login.class"),
    key("sasl.login.connect.timeout.ms", Values::ANY_INT, ""),
    key("sasl.login.read.timeout.ms", Values::ANY_INT, ""),
    key("sasl.login.refresh.buffer.seconds", Values::Whole("short", 0, 3_600), "300"),
    key("sasl.login.refresh.min.period.seconds", Values::Whole("short", 0, 900), "60"),
    key("sasl.login.refresh.window.factor", Values::Real(0.5, 1.0), "0.8"),
    key("sasl.login.refresh.window.jitter", Values::Real(0.0, 0.25), "0.05"),
    key("sasl.login.retry.backoff.max.ms", Values::ANY_LONG, "10000"),
    key("sasl.login.retry.backoff.ms", Values::ANY_LONG, "100"),
    key("sasl.mechanism", Values::Text, "GSSAPI"),
    key("sasl.oauthbearer.allow.unverified.audience", Values::Bool, "false"),
    key("sasl.oauthbearer.allow.unverified.issuer", Values::Bool, "false"),
    key("sasl.oauthbearer.assertion.algorithm", Values::OneOf(&["ES256", "RS256"]), "RS256"),
    text("sasl.oauthbearer.assertion.claim.aud"),
    key("sasl.oauthbearer.assertion.claim.exp.seconds", Values::Whole("int", 0, 86_400), "300"),
    text("sasl.oauthbearer.assertion.claim.iss"),
    key("sasl.oauthbearer.assertion.claim.jti.include", Values::Bool, "false"),
    key("sasl.oauthbearer.assertion.claim.nbf.seconds", Values::Whole("int", 0, 3_600), "60"),
    text("sasl.oauthbearer.assertion.claim.sub"),
    text("sasl.oauthbearer.assertion.file"),
    text("sasl.oauthbearer.assertion.private.key.file"),
    password("sasl.oauthbearer.assertion.private.key.passphrase"),
    text("sasl.oauthbearer.assertion.template.file"),
    text("sasl.oauthbearer.client.credentials.client.id"),
    password("sasl.oauthbearer.client.credentials.client.secret"),
    key("sasl.oauthbearer.clock.skew.seconds", Values::ANY_INT, "30"),
    key("sasl.oauthbearer.expected.audience", Values::List, ""),
    text("sasl.oauthbearer.expected.issuer"),
    key("sasl.oauthbearer.header.urlencode", Values::Bool, "false"),
    key("sasl.oauthbearer.jwks.endpoint.refresh.ms", Values::ANY_LONG, "3600000"),
    key("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Values::ANY_LONG, "10000"),
    key("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Values::ANY_LONG, "100"),
    text("sasl.oauthbearer.jwks.endpoint.url"),
    class("sasl.oauthbearer.jwt.retriever.class"),
    class("sasl.oauthbearer.jwt.validator.class"),
    text("sasl.oauthbearer.scope"),
    key("sasl.oauthbearer.scope.claim.name", Values::Text, "scope"),
    key("sasl.oauthbearer.sub.claim.name", Values::Text, "sub"),
    text("sasl.oauthbearer.token.endpoint.url"),
    ConfigKey {
        name: "security.protocol",
        values: Values::OneOfAnyCase(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]),
        default: "PLAINTEXT",
        role: Role::Lacking(
            "TLS and SASL are not there yet, only PLAINTEXT (Producer::with_connector takes a \
             connector of your own)",
        ),
        meaning: "how brokers are spoken to",
    },
    ConfigKey {
        name: "security.providers",
        values: Values::Text,
        default: "",
        role: Role::Ignored("Java classes; there is nothing of the kind here"),
        meaning: "Java's providers of cryptography",
    },
    key("ssl.cipher.suites", Values::List, ""),
    key("ssl.enabled.protocols", Values::List, "TLSv1.2,TLSv1.3"),
    key("ssl.endpoint.identification.algorithm", Values::Text, "https"),
    class("ssl.engine.factory.class"),
    password("ssl.key.password"),
    text("ssl.keymanager.algorithm"),
    password("ssl.keystore.certificate.chain"),
    password("ssl.keystore.key"),
    text("ssl.keystore.location"),
    password("ssl.keystore.password"),
    key("ssl.keystore.type", Values::Text, "JKS"),
    key("ssl.protocol", Values::Text, "TLSv1.3"),
    text("ssl.provider"),
    text("ssl.secure.random.implementation"),
    text("ssl.trustmanager.algorithm"),
    password("ssl.truststore.certificates"),
    text("ssl.truststore.location"),
    password("ssl.truststore.password"),
    key("ssl.truststore.type", Values::Text, "JKS"),
];
