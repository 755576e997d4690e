import Foundation
import NIOCore
import TidemarkStore

/// Says why the daemon cannot start, and what to do, for people.
struct StartFailure: Error {
  /// One sentence.
  let what: String
  /// What to do; empty when nothing is known to help.
  let advice: String

  init(_ what: String, advice: String) {
    self.what = what
    self.advice = advice
  }

  init(_ error: any Error, _ configuration: Configuration) {
    let host = configuration.host
    let address = "\(host):\(configuration.port)"
    switch error {
    case let error as StoreError: self.init(error, configuration.store)
    case let error as IOError where error.errnoCode == EADDRINUSE:
      self.init(
        "The address \(address) is in use by another program.",
        advice: "End that program, or choose another port: --listen \(host):0 takes any free one.")
    case let error as IOError where error.errnoCode == EADDRNOTAVAIL:
      self.init(
        "The address \(address) does not belong to this machine.",
        advice: "Name one that does: --listen 127.0.0.1:\(configuration.port)")
    case let error as IOError where error.errnoCode == EACCES:
      self.init(
        "The address \(address) needs more rights than this user has.",
        advice: "Choose a port from 1024 on: --listen \(host):8433")
    case is SocketAddressError:
      self.init(
        "The host '\(host)' is not known.",
        advice: "Give --listen an address of this machine, for example 127.0.0.1:8433.")
    default: self.init("The daemon cannot start: \(error)", advice: "")
    }
  }

  init(_ error: StoreError, _ store: StoreURL) {
    let advice =
      switch store {
      case .sqlite(let folder): StartFailure.advice(error.code, folder: folder)
      case .postgres: StartFailure.adviceForPostgres(error.code)
      }
    self.init("The store cannot be opened: \(error.message).", advice: advice)
  }

  private static func advice(_ code: StoreError.Code, folder: String) -> String {
    switch code {
    case .locked: "End that process, or give this one a folder of its own: --store sqlite:FOLDER"
    case .full: "Make room on the disk of '\(folder)'."
    case .unknownFormat: "Start the version of tidemarkd that made it, or name another folder: --store sqlite:FOLDER"
    case .corrupt: "Restore '\(folder)' from a backup."
    case .unavailable, .outcomeUnknown, .failed: "May this user read and write the folder '\(folder)'? Is the disk well?"
    }
  }

  private static func adviceForPostgres(_ code: StoreError.Code) -> String {
    switch code {
    case .full: "Make room on the disk of the database."
    case .unknownFormat: "Start the version of tidemarkd that made it, or give this one a database of its own."
    case .corrupt: "Restore the database from a backup."
    case .locked, .unavailable, .outcomeUnknown, .failed:
      "Is the database running, and is the URL right? The password belongs into the file that --postgres-password-file names."
    }
  }

  /// Writes it to standard error.
  func tell() {
    let lines = ["tidemarkd: \(what)"] + (advice.isEmpty ? [] : [advice])
    FileHandle.standardError.write(Data((lines.joined(separator: "\n") + "\n").utf8))
  }
}
