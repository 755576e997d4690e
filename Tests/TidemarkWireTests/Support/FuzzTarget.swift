import TidemarkCore
import TidemarkWire

/// What the fuzzer feeds with arbitrary bytes, and what must hold whatever they are.
///
/// Nothing may trap, and what was decoded must come back the same after encoding. Uses public symbols only: the fuzzer's package
/// compiles this file too.
enum FuzzTarget: String, CaseIterable {
  case create, getOrCreate, update, replace, delete, restore
  case get, batchGet, list, space, listSpaces, deleteSpace, createToken, listTokens, revokeToken, echo, serverInfo
  case bulkWrite, getOutcomes, undoWrites, bulkAnswer, outcomesAnswer
  case applySchema, getSchema, rollbackSchema, applySchemaAnswer, getSchemaAnswer
  case pull, exchange, watch, pullAnswer, exchangeAnswer, cursor
  case outcome, getAnswer, batchGetAnswer, listAnswer, spacesAnswer, verifyAnswer, tokensAnswer, serverInfoAnswer
  case schema
  case hello, callMeta, goAway, status, inflate, frameHeader

  /// Runs the target on some bytes.
  ///
  /// - Returns: the claim that was broken; `nil` when all is well.
  func run(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) -> String? {
    switch self {
    case .create: write(bytes, .create, arena)
    case .getOrCreate: write(bytes, .getOrCreate, arena)
    case .update: write(bytes, .update, arena)
    case .replace: write(bytes, .replace, arena)
    case .delete: write(bytes, .delete, arena)
    case .restore: write(bytes, .restore, arena)
    case .get: message(bytes, GetRequest.self, arena)
    case .batchGet: message(bytes, BatchGetRequest.self, arena)
    case .list: message(bytes, ListRequest.self, arena)
    case .space: message(bytes, SpaceRequest.self, arena)
    case .listSpaces: message(bytes, ListSpacesRequest.self, arena)
    case .deleteSpace: message(bytes, DeleteSpaceRequest.self, arena)
    case .createToken: message(bytes, CreateTokenRequest.self, arena)
    case .listTokens: message(bytes, ListTokensRequest.self, arena)
    case .revokeToken: message(bytes, RevokeTokenRequest.self, arena)
    case .echo: message(bytes, Echo.self, arena)
    case .serverInfo: message(bytes, GetServerInfoRequest.self, arena)
    case .bulkWrite: message(bytes, BulkWriteRequest.self, arena)
    case .getOutcomes: message(bytes, GetOutcomesRequest.self, arena)
    case .undoWrites: message(bytes, UndoWritesRequest.self, arena)
    case .bulkAnswer: message(bytes, BulkWriteResponse.self, arena)
    case .outcomesAnswer: message(bytes, GetOutcomesResponse.self, arena)
    case .applySchema: message(bytes, ApplySchemaRequest.self, arena)
    case .getSchema: message(bytes, GetSchemaRequest.self, arena)
    case .rollbackSchema: message(bytes, RollbackSchemaRequest.self, arena)
    case .applySchemaAnswer: message(bytes, ApplySchemaResponse.self, arena)
    case .getSchemaAnswer: message(bytes, GetSchemaResponse.self, arena)
    case .pull: message(bytes, PullRequest.self, arena)
    case .exchange: message(bytes, ExchangeRequest.self, arena)
    case .watch: message(bytes, WatchRequest.self, arena)
    case .pullAnswer: message(bytes, PullResponse.self, arena)
    case .exchangeAnswer: message(bytes, ExchangeResponse.self, arena)
    case .cursor: cursor(bytes)
    case .outcome: message(bytes, Outcome.self, arena)
    case .getAnswer: message(bytes, GetResponse.self, arena)
    case .batchGetAnswer: message(bytes, BatchGetResponse.self, arena)
    case .listAnswer: message(bytes, ListResponse.self, arena)
    case .spacesAnswer: message(bytes, ListSpacesResponse.self, arena)
    case .verifyAnswer: message(bytes, VerifySpaceResponse.self, arena)
    case .tokensAnswer: message(bytes, ListTokensResponse.self, arena)
    case .serverInfoAnswer: message(bytes, GetServerInfoResponse.self, arena)
    case .schema: message(bytes, Schema.self, arena)
    case .hello: roundTrip(bytes, Hello.decode, { $0.encode() })
    case .callMeta: roundTrip(bytes, CallMeta.decode, { $0.encode() })
    case .goAway: roundTrip(bytes, GoAway.decode, { $0.encode() })
    case .status: roundTrip(bytes, RPCStatus.decode, { $0.encode() })
    case .inflate: inflate(bytes)
    case .frameHeader: frameHeader(bytes)
    }
  }

  private func message<M: DecodableMessage & EncodableMessage & Equatable>(
    _ bytes: UnsafeRawBufferPointer, _: M.Type, _ arena: MessageArena
  ) -> String? {
    guard let message = try? M.decode(bytes, using: arena) else { return nil }
    guard let encoded = try? message.encode(using: arena) else { return "what was decoded does not encode" }
    return encoded.withUnsafeBytes { again in
      (try? M.decode(again, using: arena)) == message ? nil : "what was encoded decodes to something else"
    }
  }

  private func write(_ bytes: UnsafeRawBufferPointer, _ kind: WriteRequest.Kind, _ arena: MessageArena) -> String? {
    func decode(_ bytes: UnsafeRawBufferPointer) -> WriteRequest? {
      try? WriteRequest.decode(bytes, kind: kind, using: arena) { OperationID(rawValue: Bytes16(high: 1, low: 2)) }
    }
    guard let request = decode(bytes) else { return nil }
    guard request.kind == kind else { return "the request decodes to another kind" }
    guard let encoded = try? request.encode(using: arena) else { return "what was decoded does not encode" }
    return encoded.withUnsafeBytes { decode($0) == request ? nil : "what was encoded decodes to something else" }
  }

  private func roundTrip<M: Equatable>(
    _ bytes: UnsafeRawBufferPointer, _ decode: (UnsafeRawBufferPointer) throws(WireError) -> M, _ encode: (M) -> [UInt8]
  ) -> String? {
    guard let message = try? decode(bytes) else { return nil }
    return encode(message).withUnsafeBytes { again in
      // Encoding may fill in the shortest forms only, so it fits wherever the original did.
      (try? decode(again)) == message ? nil : "what was encoded decodes to something else"
    }
  }

  private func inflate(_ bytes: UnsafeRawBufferPointer) -> String? {
    let limit = 1 << 20
    if let output = try? MessageCompression.inflate(bytes, bytesMax: limit) {
      guard output.count <= limit, output.count <= bytes.count * WireLimits.inflationRatioMax else { return "a limit was passed" }
    }
    guard let compressed = MessageCompression.compress(bytes) else { return nil }
    return compressed.withUnsafeBytes { again in
      guard let output = try? MessageCompression.inflate(again, bytesMax: bytes.count) else {
        return "own output does not inflate"
      }
      return output.elementsEqual(bytes) ? nil : "own output inflates to something else"
    }
  }

  private func cursor(_ bytes: UnsafeRawBufferPointer) -> String? {
    guard let cursor = FeedCursor(encoded: bytes) else { return nil }
    return cursor.encoded().elementsEqual(bytes) ? nil : "a cursor does not come back as it was"
  }

  private func frameHeader(_ bytes: UnsafeRawBufferPointer) -> String? {
    guard let header = FrameHeader(decoding: bytes) else {
      return bytes.count < FrameHeader.bytes ? nil : "a whole header was not read"
    }
    var encoded: [UInt8] = []
    withUnsafeBytes(of: header.head.bigEndian) { encoded.append(contentsOf: $0) }
    withUnsafeBytes(of: header.stream.bigEndian) { encoded.append(contentsOf: $0) }
    return encoded.elementsEqual(bytes.prefix(FrameHeader.bytes)) ? nil : "a header does not come back as it was"
  }
}
