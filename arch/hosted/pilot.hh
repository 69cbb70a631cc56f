// For test/explore: from here to there the host's script decides who goes on, not the seed (HostedPilot in host/host_api.hh).
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace hosted {

void pilot_begin();
void pilot_end();

}  // namespace hosted
