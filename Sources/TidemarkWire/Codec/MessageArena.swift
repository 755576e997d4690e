import CTidemarkProtobufC
import CTidemarkWire

/// Memory for decoding or encoding one message at a time with protobuf-c, capped and freed at once.
///
/// Make one for each event loop or thread and use it for every message there: `decode` and `encode` take everything back
/// before they return, and the first 16 KiB stay for the next message. Not to be used by two threads at once, nor from
/// within the closure of `withPacked`.
public final class MessageArena {
  private let arena: OpaquePointer?

  /// - Parameter bytesMax: the most memory that one message may take, in bytes.
  public init(bytesMax: Int = WireLimits.decodedBytesMax) { arena = tidemark_arena_create(max(0, bytesMax)) }

  deinit { tidemark_arena_destroy(arena) }

  /// Takes back everything handed out. Pointers into the arena are dead after it.
  func reset() {
    if let arena { tidemark_arena_reset(arena) }
  }

  /// The allocator for protobuf-c; `nil` when the system is out of memory.
  var allocator: UnsafeMutablePointer<ProtobufCAllocator>? { arena.flatMap { tidemark_arena_allocator($0) } }

  /// Whether the cap refused an allocation since the last reset.
  var isExhausted: Bool { arena.map { tidemark_arena_is_exhausted($0) != 0 } ?? true }

  /// Hands out memory aligned to 16 bytes and not initialised.
  func allocate(bytes: Int) throws(WireError) -> UnsafeMutableRawPointer {
    guard let allocator, let memory = allocator.pointee.alloc(allocator.pointee.allocator_data, bytes) else {
      throw .tooMuchMemory
    }
    return memory
  }

  /// Unpacks a message after the scan that protobuf-c needs for its safety.
  ///
  /// - Returns: a message that lives in the arena until the next reset.
  func unpack<Message>(
    _ bytes: UnsafeRawBufferPointer, as kind: MessageKind<Message>, elementsMax: Int = WireLimits.messageElementsMax
  ) throws(WireError) -> UnsafePointer<Message> {
    var elementsLeft = elementsMax
    return try unpack(bytes, as: kind, elementsLeft: &elementsLeft)
  }

  /// As `unpack(_:as:elementsMax:)`, for one of several messages that may have so many elements together.
  func unpack<Message>(
    _ bytes: UnsafeRawBufferPointer, as kind: MessageKind<Message>, elementsLeft: inout Int
  ) throws(WireError) -> UnsafePointer<Message> {
    guard bytes.count <= WireLimits.messageBytesMax else { throw .tooLarge }
    elementsLeft = try MessagePrescan.check(bytes, descriptor: kind.descriptor, elementsMax: elementsLeft)
    guard let allocator else { throw .tooMuchMemory }
    // Without bytes the pointer is not read, and may be NULL.
    let unpacked = protobuf_c_message_unpack(
      kind.descriptor, allocator, bytes.count, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
    guard let unpacked else { throw isExhausted ? .tooMuchMemory : .unparsable }
    return UnsafePointer(UnsafeMutableRawPointer(unpacked).assumingMemoryBound(to: Message.self))
  }
}

/// Ties a generated C struct to its descriptor.
struct MessageKind<Message> {
  let descriptor: UnsafePointer<ProtobufCMessageDescriptor>

  /// - Parameter initialise: the generated `…__init`, which sets the defaults and the descriptor.
  init(_ initialise: (UnsafeMutablePointer<Message>?) -> Void) {
    // The address of an imported C constant is not stable in Swift, but the one the initialiser stores is.
    descriptor = withUnsafeTemporaryAllocation(
      byteCount: MemoryLayout<Message>.size, alignment: MemoryLayout<Message>.alignment
    ) { memory in
      initialise(memory.baseAddress?.assumingMemoryBound(to: Message.self))
      return memory.load(as: ProtobufCMessage.self).descriptor
    }
  }
}

// Safe because it holds nothing but the address of a C constant.
extension MessageKind: @unchecked Sendable {}
