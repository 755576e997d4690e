import ArgumentParser
import TidemarkClient
import TidemarkCore
import TidemarkWire

/// Checks the hash chain of a space, and its unique keys and references.
struct Verify: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check the hash chain, unique keys and references of a space. Needs the role admin on the space.",
    discussion: "Prints the faults. Exits with 1 when there are any.")

  private static let names = ["revision", "type", "id", "fault"]

  @Argument(help: "The space, in place of the one of the address.", completion: .spaces) var name: String?
  @OptionGroup var options: CallOptions

  func run() async throws {
    if options.output.listsFields(Verify.names) { return }
    let name = try name.map { text throws(CommandFailure) in try Arguments.space(text) }
    try await options.run { session in
      let space = session.client.space(name ?? session.target.space)
      let progress = Progress("changes", session.output)
      var last: VerifySpaceResponse?
      for try await step in space.verify() {
        progress.update(count: step.changesChecked, fraction: Double(step.changesChecked) / Double(max(step.changesTotal, 1)))
        last = step
      }
      progress.finish()
      try report(last, space: space.name, session)
    }
  }

  private func report(_ last: VerifySpaceResponse?, space: SpaceName, _ session: Session) throws {
    guard let last, last.isDone else {
      throw CommandFailure(.failed, "The check ended before the whole chain was walked.", code: "incomplete")
    }
    let faults = last.faults.map(Verify.record)
    if session.output.json {
      let document = JSON.object([
        .init("space", .string(space.text)), .init("changes_checked", .int(last.changesChecked)),
        .init("is_intact", .bool(faults.isEmpty)), .init("faults", .array(faults)),
      ])
      StandardStream.output.write(document.pretty + "\n")
    } else if !faults.isEmpty {
      var writer = RecordWriter(session.output, columns: Verify.names)
      for fault in faults { writer.write(fault) }
      writer.finish()
    }
    StandardStream.output.flush()
    if faults.isEmpty {
      session.note("ok: \(last.changesChecked) changes of the space '\(space)' checked, no fault.")
    } else {
      session.note("\(faults.count) faults in \(last.changesChecked) changes of the space '\(space)'. Restore it from a backup.")
      throw CommandFailure.told(.failed)
    }
  }

  private static func record(_ fault: VerifySpaceResponse.Fault) -> JSON {
    .object([
      .init("revision", .int(fault.revision.rawValue)), .init("type", .text(fault.key?.type.text)),
      .init("id", .text(fault.key?.id.text)), .init("fault", .string(fault.fault)),
    ])
  }
}
