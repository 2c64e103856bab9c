//! Decoding an event into an enum: its type selects the variant, its data is the content.

use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, VariantAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Error;

/// Decodes data whose shape depends on the event type.
pub(super) fn decode<'a, T: Deserialize<'a>>(event_type: &'a str, data: &'a str) -> Result<T, Error> {
    T::deserialize(Typed { event_type, data })
}

struct Typed<'a> {
    event_type: &'a str,
    data: &'a str,
}

impl<'a> Typed<'a> {
    fn document<T>(
        self,
        decode: impl FnOnce(&mut serde_json::Deserializer<serde_json::de::StrRead<'a>>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut document = serde_json::Deserializer::from_str(self.data);
        let value = decode(&mut document)?;
        document.end()?;
        Ok(value)
    }
}

impl<'de> Deserializer<'de> for Typed<'de> {
    type Error = Error;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom(
            "typed() requires an externally tagged enum (the default of serde): its variants are event types",
        ))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> EnumAccess<'de> for Typed<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let event_type: StrDeserializer<'_, Error> = self.event_type.into_deserializer();
        Ok((seed.deserialize(event_type)?, self))
    }
}

impl<'de> VariantAccess<'de> for Typed<'de> {
    type Error = Error;

    /// The data has no meaning for this variant.
    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        self.document(|document| seed.deserialize(document))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.document(|document| document.deserialize_seq(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.document(|document| document.deserialize_struct("", fields, visitor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "kebab-case")]
    enum Strict<'a> {
        Price(f64),
        Pair(u8, u8),
        Named {
            name: &'a str,
        },
        Text(&'a str),
        #[serde(alias = "ping")]
        KeepAlive,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    enum Lenient {
        #[serde(rename = "price")]
        Price(f64),
        #[serde(other)]
        Other,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Wrapped(Lenient);

    #[test]
    fn the_type_chooses_the_variant_and_the_data_is_its_content() {
        for (event_type, data, expected) in [
            ("price", "1.5", Strict::Price(1.5)),
            ("pair", "[1, 2]", Strict::Pair(1, 2)),
            ("named", r#"{"name": "a", "more": 1}"#, Strict::Named { name: "a" }),
            ("text", r#" "b" "#, Strict::Text("b")),
            ("keep-alive", "", Strict::KeepAlive),
            ("ping", "not JSON", Strict::KeepAlive),
        ] {
            assert_eq!(decode::<Strict<'_>>(event_type, data).unwrap(), expected);
        }
    }

    #[test]
    fn another_type_is_the_other_variant_whatever_its_data_is_or_an_error_that_names_it() {
        assert_eq!(decode::<Lenient>("news", "not JSON").unwrap(), Lenient::Other);
        assert_eq!(decode::<Wrapped>("price", "2").unwrap(), Wrapped(Lenient::Price(2.0)));
        let error = decode::<Strict<'_>>("news", "{}").unwrap_err().to_string();
        assert!(error.contains("`news`") && error.contains("`keep-alive`"), "{error}");
    }

    #[test]
    fn data_that_does_not_fit_its_type_is_an_error() {
        for (event_type, data) in
            [("price", "x"), ("price", ""), ("price", "1 2"), ("pair", "[1]"), ("pair", "[1,2,3]"), ("named", "{}")]
        {
            assert!(decode::<Strict<'_>>(event_type, data).is_err(), "{event_type} {data}");
        }
    }

    #[test]
    fn what_is_no_enum_is_an_error_that_says_so() {
        for error in [decode::<f64>("price", "1"), decode::<Option<f64>>("price", "1").map(|_| 0.0)] {
            assert!(error.unwrap_err().to_string().contains("enum"));
        }
    }
}
