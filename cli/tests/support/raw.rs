//! A gRPC client that sends whatever bytes it is given, well-formed or not.

use bytes::{Buf as _, BufMut as _};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Request, Status};

#[derive(Debug, Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut bytes = vec![0; from.remaining()];
        from.copy_to_slice(&mut bytes);
        Ok(Some(bytes))
    }
}

/// A length-delimited field of a protobuf message.
pub fn field(number: u8, value: &[u8]) -> Vec<u8> {
    assert!(number < 16 && value.len() < 128, "one byte each is enough here");
    let mut field = vec![number << 3 | 2, u8::try_from(value.len()).unwrap()];
    field.extend_from_slice(value);
    field
}

/// Calls a method with these bytes as its request; gives the status of the refusal.
pub async fn refused(channel: &Channel, path: &'static str, token: &str, body: Vec<u8>) -> Status {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let mut request = Request::new(body);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let answer = client.server_streaming(request, path.parse().unwrap(), Raw).await;
    match answer {
        Err(status) => status,
        Ok(streaming) => streaming.into_inner().message().await.expect_err("bytes that are no message were accepted"),
    }
}
