defmodule FakeTelemetry.MixProject do
  use Mix.Project

  def project, do: [app: :telemetry, version: "9.9.9", deps: []]
  def application, do: [extra_applications: []]
end
