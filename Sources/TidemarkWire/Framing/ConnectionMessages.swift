/// The first frame in each direction (`tidemark.v1.Hello`). Zero in a field stands for its default.
public struct Hello: Hashable, Sendable {
  public var minorMin: UInt32 = 0
  public var minorMax: UInt32 = 0
  public var frameBytesMax: UInt32 = 0
  public var messageBytesMax: UInt32 = 0
  public var callsInFlightMax: UInt32 = 0
  public var streamCreditBytes: UInt32 = 0
  public var connectionCreditBytes: UInt32 = 0
  public var compressions: [String] = []
  public var name: String = ""
  public var bulkItemsMax: UInt32 = 0
  public var receiptRetentionSeconds: UInt64 = 0
  public var idleTimeoutMilliseconds: UInt32 = 0
  public var schemaHash: [UInt8] = []

  public init() {}
}

/// The metadata of a call or a reply (`tidemark.v1.CallMeta`).
public struct CallMeta: Hashable, Sendable {
  /// How long the caller waits, in microseconds; 0 for the server's maximum.
  public var timeoutMicroseconds: UInt64 = 0
  /// The credentials, for example `Bearer tmk_…`; empty when there are none.
  public var authorization: String = ""
  /// The attempt number, from 1; 0 when not said.
  public var attempt: UInt32 = 0
  /// The full name of the method when the frame has no number.
  public var method: String = ""
  /// Further pairs.
  public var entries: [Entry] = []

  /// One pair of metadata.
  public struct Entry: Hashable, Sendable {
    public var key: String
    public var value: [UInt8]

    public init(key: String, value: [UInt8]) {
      self.key = key
      self.value = value
    }
  }

  public init() {}

  /// True when it says nothing, and so need not be sent.
  public var isEmpty: Bool {
    timeoutMicroseconds == 0 && authorization.isEmpty && attempt == 0 && method.isEmpty && entries.isEmpty
  }
}

/// Tells the peer to stop using the connection (`tidemark.v1.GoAway`).
public struct GoAway: Hashable, Sendable {
  public var lastStream: UInt32 = 0
  public var debug: String = ""
  public var retryAfterMilliseconds: UInt32 = 0
  public var minorMin: UInt32 = 0
  public var minorMax: UInt32 = 0

  public init() {}
}

/// Why a call failed (`google.rpc.Status`).
public struct RPCStatus: Error, Hashable, Sendable {
  public var code: StatusCode
  /// A sentence for people. Never an internal detail.
  public var message: String
  /// Typed details.
  public var details: [Detail]

  /// One `google.protobuf.Any`.
  public struct Detail: Hashable, Sendable {
    /// For example `type.googleapis.com/tidemark.v1.Outcome`.
    public var typeURL: String
    /// The encoded message.
    public var value: [UInt8]

    public init(typeURL: String, value: [UInt8]) {
      self.typeURL = typeURL
      self.value = value
    }
  }

  public init(_ code: StatusCode, _ message: String, details: [Detail] = []) {
    self.code = code
    self.message = message
    self.details = details
  }
}
