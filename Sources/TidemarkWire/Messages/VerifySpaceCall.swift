import CTidemarkWire
public import TidemarkCore

extension MessageKind<Tidemark__V1__VerifySpaceResponse> {
  static let verifySpaceResponse = MessageKind(tidemark__v1__verify_space_response__init)
}
extension MessageKind<Tidemark__V1__ChainFault> { static let chainFault = MessageKind(tidemark__v1__chain_fault__init) }

/// Reports the progress of a check of a space's hash chain. Its request is a `SpaceRequest`.
public struct VerifySpaceResponse: Hashable, Sendable {
  /// Locates one change that does not verify.
  public struct Fault: Hashable, Sendable {
    public var revision: Revision
    /// `nil` when the entity could not be read.
    public var key: EntityKey?
    /// What is wrong, in a stable word.
    public var fault: String

    public init(revision: Revision, key: EntityKey?, fault: String) {
      self.revision = revision
      self.key = key
      self.fault = fault
    }
  }

  public var changesChecked: UInt64
  public var changesTotal: UInt64
  /// The whole chain was walked.
  public var isDone: Bool
  /// At most 100.
  public var faults: [Fault]

  public init(changesChecked: UInt64, changesTotal: UInt64, isDone: Bool, faults: [Fault] = []) {
    self.changesChecked = changesChecked
    self.changesTotal = changesTotal
    self.isDone = isDone
    self.faults = faults
  }
}

extension VerifySpaceResponse: EncodableMessage, DecodableMessage {
  public func makeMessage(in arena: MessageArena) throws(WireError) -> MessagePointer {
    let message = try arena.make(.verifySpaceResponse)
    message.pointee.changes_checked = changesChecked
    message.pointee.changes_total = changesTotal
    message.pointee.is_done = isDone ? 1 : 0
    message.pointee.n_faults = faults.count
    message.pointee.faults = try arena.makeList(faults) { (fault) throws(WireError) in try fault.makeMessage(in: arena) }
    return MessagePointer(message)
  }

  public static func decode(_ bytes: UnsafeRawBufferPointer, using arena: MessageArena) throws(WireError) -> VerifySpaceResponse {
    try arena.decode(bytes, as: .verifySpaceResponse) { (message) throws(WireError) in
      VerifySpaceResponse(
        changesChecked: message.changes_checked, changesTotal: message.changes_total, isDone: message.is_done != 0,
        faults: try Part.list(message.n_faults, message.faults) { (fault) throws(WireError) in try Fault(fault) })
    }
  }
}

extension VerifySpaceResponse.Fault {
  fileprivate init(_ message: Tidemark__V1__ChainFault) throws(WireError) {
    let isRead = !message.type.raw.isEmpty && !message.id.raw.isEmpty
    self.init(
      revision: try Part.revision(message.revision), key: isRead ? try Part.key(type: message.type, id: message.id) : nil,
      fault: try message.fault.text())
  }

  fileprivate func makeMessage(in arena: MessageArena) throws(WireError) -> UnsafeMutablePointer<Tidemark__V1__ChainFault>? {
    let message = try arena.make(.chainFault)
    message.pointee.revision = revision.rawValue
    message.pointee.type = try arena.copy(key?.type.text ?? "")
    message.pointee.id = try arena.copy(key?.id.text ?? "")
    message.pointee.fault = try arena.copy(fault)
    return message
  }
}
