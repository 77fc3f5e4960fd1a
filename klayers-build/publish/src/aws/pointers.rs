//! Pointers to the latest version of each layer: SSM parameters in each region that templates can
//! read.

use aws_sdk_ssm::types::ParameterType;
use klayers_core::{PackageName, Region, Target};

use super::{LambdaPublisher, Pointer, PublishError, ignore_not_found};

fn name(target: Target, package: &PackageName) -> String {
    format!("/klayers/{target}/{package}/latest")
}

impl LambdaPublisher {
    pub(super) async fn write_pointer(&self, pointer: &Pointer) -> Result<(), PublishError> {
        let Pointer { region, target, package, latest } = pointer;
        let (ssm, name) = (self.accounts.ssm(region)?, name(*target, package));
        let Some(arn) = latest else {
            let deleted = self
                .call(region, "DeleteParameter")?
                .repeated(|| ssm.delete_parameter().name(&name).send())
                .await;
            return ignore_not_found(deleted.map(drop));
        };
        self.call(region, "PutParameter")?
            .repeated(|| {
                ssm.put_parameter()
                    .name(&name)
                    .value(arn.to_string())
                    .r#type(ParameterType::String)
                    .overwrite(true)
                    .send()
            })
            .await?;
        Ok(())
    }

    pub(super) async fn read_pointer(
        &self,
        region: &Region,
        target: Target,
        package: &PackageName,
    ) -> Result<Option<String>, PublishError> {
        let (ssm, name) = (self.accounts.ssm(region)?, name(target, package));
        let answer = self
            .call(region, "GetParameter")?
            .repeated(|| ssm.get_parameter().name(&name).send())
            .await;
        match answer {
            Err(error) if error.is_not_found() => Ok(None),
            answer => Ok(answer?.parameter.and_then(|parameter| parameter.value)),
        }
    }
}
